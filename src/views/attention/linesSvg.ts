import { rough } from '../page/numbers.ts';
import { faintest, type ShownMap } from './attentionMaps.ts';

export interface LineColours {
  readonly background: string;
  readonly text: string;
  readonly line: string;
}

const rowHeight = 24;
const side = 150;
const width = 900;
/** Space over the lines: the title, and `originLine` for each line under it. */
const titleRoom = 64;
const originLine = 18;
/** Characters of a line under the title. */
const longestLine = 110;

const escaped = (text: string) =>
  text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd');

export interface LinesText {
  readonly title: string;
  /** Lines under the title, which say of what the picture is. */
  readonly origin: readonly string[];
  readonly most: number;
  readonly colours: LineColours;
}

const shortened = (line: string) => (line.length > longestLine ? `${line.slice(0, longestLine)}…` : line);

/** Draws one head as an SVG: lines from queries, left, to keys, right. The opacity is the probability over `most`. */
export function linesSvg(
  { map, mask, L, shown, labels }: ShownMap,
  { title, origin, most, colours }: LinesText,
): string {
  const top = titleRoom + origin.length * originLine;
  const height = top + shown.length * rowHeight + 44;
  const y = (at: number) => top + (at + 0.5) * rowHeight;
  const [from, to] = [side, width - side];
  const bend = (to - from) * 0.4;
  const lines = shown.flatMap((i, row) =>
    shown.flatMap((j, column) => {
      const opacity = Math.min(map[i * L + j] / most, 1);
      if (mask[i * L + j] === 0 || !(opacity >= faintest)) return [];
      const curve = `M${from} ${y(row)}C${from + bend} ${y(row)} ${to - bend} ${y(column)} ${to} ${y(column)}`;
      return `<path d="${curve}" opacity="${Number(opacity.toFixed(3))}"/>`;
    }),
  );
  const label = (x: number, at: number, token: number) =>
    `<text x="${x}" y="${y(at) + 4}">${escaped(labels[token] ?? '')}</text>`;
  const texts = (x: number, anchor: string) =>
    `<g text-anchor="${anchor}" font-family="monospace" font-size="13">${shown.map((token, at) => label(x, at, token)).join('')}</g>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" fill="${escaped(colours.text)}">`,
    `<rect width="${width}" height="${height}" fill="${escaped(colours.background)}"/>`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(origin.join('\n'))}</desc>`,
    `<text x="24" y="34" font-size="18" font-weight="600">${escaped(title)}</text>`,
    ...origin.map(
      (line, i) => `<text x="24" y="${56 + i * originLine}" font-size="12">${escaped(shortened(line))}</text>`,
    ),
    `<text x="${from - 8}" y="${top - 8}" font-size="12" text-anchor="end">queries</text>`,
    `<text x="${to + 8}" y="${top - 8}" font-size="12">keys</text>`,
    `<g fill="none" stroke="${escaped(colours.line)}" stroke-width="2">${lines.join('')}</g>`,
    texts(from - 8, 'end'),
    texts(to + 8, 'start'),
    `<text x="24" y="${height - 18}" font-size="12">Opacity is the probability, from 0 to ${rough(most)}.</text>`,
    '</svg>',
  ].join('\n');
}
