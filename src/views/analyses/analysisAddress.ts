/** The analyses by their names in the address, with what menus call them. */
const titles = {
  shares: 'Words, EOS, PAD',
  words: 'What each word does',
  leakage: 'Leakage',
  bag: 'Bag of words',
  layers: 'Layers',
  sinks: 'Sinks',
  compare: 'Compare A and B',
  ablation: 'Ablation',
  unet: 'What the U-Net receives',
} as const;

export type AnalysisName = keyof typeof titles;
export const analysisTitles: Readonly<Record<AnalysisName, string>> = titles;
export const analysisNames = Object.keys(titles) as AnalysisName[];

const start = '#view=analyses&analysis=';

/** The address of an analysis, as the part after `#`. */
export const analysisHash = (name: AnalysisName): string => start + name;

/** The analysis that an address names; null where it names none. */
export function analysisOf(hash: string): AnalysisName | null {
  const [, name] = /[#&]analysis=([\w-]+)/.exec(hash) ?? [];
  return analysisNames.find((known) => known === name) ?? null;
}
