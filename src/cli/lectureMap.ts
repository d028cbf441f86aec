/** Prints README's map of the lecture's equations from the rows of road/lecture.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { formulaText } from '../clip/formula.ts';
import { equationRanges } from '../clip/lectureRow.ts';
import { lecture, type MappedRow } from '../road/lecture.ts';

const start = '<!-- The map: written by `npm run map`. -->';
const end = '<!-- The end of the map. -->';

const cells = ({ equations, title, formula, code, stage, shownIn }: MappedRow): readonly string[] => [
  equationRanges(equations),
  title,
  formulaText(formula).replaceAll('|', '\\|'),
  code
    .map(
      ({ file, exports }) =>
        `\`${file}\` ${Object.keys(exports)
          .map((name) => `\`${name}\``)
          .join(', ')}`,
    )
    .join('; '),
  (stage?.shaders ?? []).map((name) => `\`${name}.wgsl\``).join(', '),
  shownIn.title,
];

/** Markdown: a row for each place that computes something, and how the lecture and the programs differ. */
export function lectureMap(): string {
  const head = ['eq.', 'what', 'formula', 'in TypeScript', 'in `shaders`', 'on the page'];
  const table = [head, head.map(() => '---'), ...lecture.map(cells)].map((row) => `| ${row.join(' | ')} |`);
  // A difference that is true of several equations is said once.
  const differences = new Map<string, number[]>();
  for (const { equations, difference } of lecture)
    if (difference) differences.set(difference, [...new Set([...(differences.get(difference) ?? []), ...equations])]);
  const list = [...differences].map(
    ([difference, equations]) => `- **${equationRanges(equations.toSorted((a, b) => a - b))}**: ${difference}`,
  );
  return [
    ...table,
    '',
    'The lecture and the programs differ, and the page does what the programs do:',
    '',
    ...list,
  ].join('\n');
}

/** README with this map between its markers. Throws where a marker is missing. */
export function withMap(readme: string): string {
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md needs the lines "${start}" and "${end}" around the map.`);
  return `${readme.slice(0, from + start.length)}\n${lectureMap()}\n${readme.slice(to)}`;
}

export function main(): number {
  writeFileSync('README.md', withMap(readFileSync('README.md', 'utf8')));
  return 0;
}
