/** The views of the page, of which one is on show: name in the address, and what it is called in menus. */
const titles = {
  answer: 'Answer',
  picture: 'Picture',
  tokens: 'Tokens',
  weights: 'Weights',
  attention: 'Attention',
  masks: 'Masks',
  embeddings: 'Embeddings',
  anatomy: 'Anatomy',
  vocabulary: 'Vocabulary',
  methods: 'Methods',
  programs: 'Programs',
  sweep: 'Sweep',
  'mask-lab': 'Mask lab',
  analyses: 'Analyses',
  'psi-lab': 'ψ lab',
  objective: 'Objective',
  lecture: 'Lecture',
  checkpoint: 'Checkpoint',
  speed: 'Speed',
  export: 'Export',
} as const;

export type View = keyof typeof titles;

export const viewTitles: Readonly<Record<View, string>> = titles;
export const firstView: View = 'answer';

/** The views in the order of their menu: those of the prompt, experiments, files, and lessons. */
export const viewGroups: readonly { readonly name: string; readonly views: readonly View[] }[] = [
  {
    name: 'Prompt',
    views: ['answer', 'picture', 'tokens', 'weights', 'attention', 'masks', 'embeddings', 'anatomy', 'vocabulary'],
  },
  {
    name: 'Lab',
    views: ['methods', 'programs', 'sweep', 'mask-lab', 'analyses', 'psi-lab', 'objective', 'checkpoint', 'speed'],
  },
  { name: 'Files', views: ['export'] },
  { name: 'Learn', views: ['lecture'] },
];

/** The part of the page's work that a view is about: the chunk on show, its whole prompt, or both prompts. */
export type Scope = 'chunk' | 'prompt' | 'both';

/** Null for views that are the same whatever is typed. */
export const viewScopes: Readonly<Record<View, Scope | null>> = {
  answer: 'prompt',
  picture: 'both',
  tokens: 'chunk',
  weights: 'chunk',
  attention: 'chunk',
  masks: 'chunk',
  embeddings: 'chunk',
  anatomy: 'chunk',
  vocabulary: null,
  methods: 'chunk',
  programs: 'prompt',
  sweep: 'chunk',
  'mask-lab': 'chunk',
  analyses: 'chunk',
  'psi-lab': 'chunk',
  objective: null,
  lecture: 'chunk',
  checkpoint: null,
  speed: 'chunk',
  export: 'both',
};

/** Views with texts and a model of their own: the prompts and the encoder leave them their room. */
export const standsAlone = (view: View): boolean => view === 'objective';

/** Whether a view has this name. */
export const isView = (name: string): name is View => Object.hasOwn(titles, name);

/** The address of a view, as the part after `#`. */
export const viewHash = (view: View): string => `#view=${view}`;

/** The view that an address names: `#view=masks`, `#share=…&view=masks`, or `#masks`; null where it names none. */
export function viewOf(hash: string): View | null {
  const name = /[#&]view=([\w-]+)/.exec(hash)?.[1] ?? (hash.includes('=') ? '' : hash.slice(1));
  return isView(name) ? name : null;
}
