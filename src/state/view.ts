/** The views of the page, of which one is on show: name in the address, and what it is called in menus. */
const titles = {
  answer: 'Answer',
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
  checkpoint: 'Checkpoint',
  speed: 'Speed',
  export: 'Export',
} as const;

export type View = keyof typeof titles;

export const viewTitles: Readonly<Record<View, string>> = titles;
export const firstView: View = 'answer';

/** The views in the order of their menu: those of the prompt, experiments, and files. */
export const viewGroups: readonly { readonly name: string; readonly views: readonly View[] }[] = [
  {
    name: 'Prompt',
    views: ['answer', 'tokens', 'weights', 'attention', 'masks', 'embeddings', 'anatomy', 'vocabulary'],
  },
  { name: 'Lab', views: ['methods', 'programs', 'sweep', 'mask-lab', 'checkpoint', 'speed'] },
  { name: 'Files', views: ['export'] },
];

/** Views that show numbers of the chunk on show; the others are about both prompts, the vocabulary or a file. */
export const chunkViews: readonly View[] = [
  'answer',
  'tokens',
  'weights',
  'attention',
  'masks',
  'embeddings',
  'anatomy',
  'methods',
  'programs',
  'sweep',
  'mask-lab',
  'speed',
];

const isView = (name: string): name is View => Object.hasOwn(titles, name);

/** The address of a view, as the part after `#`. */
export const viewHash = (view: View): string => `#view=${view}`;

/** The view that an address names: `#view=masks`, `#share=…&view=masks`, or `#masks`; null where it names none. */
export function viewOf(hash: string): View | null {
  const name = /[#&]view=([\w-]+)/.exec(hash)?.[1] ?? (hash.includes('=') ? '' : hash.slice(1));
  return isView(name) ? name : null;
}
