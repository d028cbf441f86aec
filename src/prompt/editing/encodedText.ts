/** The encoded characters of a prompt, to tell whether a changed prompt still says the same. Spaces do not count. */
import type { CompositeNode, Fragment, Node, ParsedPrompt, Range, SourceText } from '../ast.ts';

/** A character, or something that stands between characters, and where it was typed. */
export interface Mark {
  readonly text: string;
  readonly at: number;
}

export interface WeightedMark extends Mark {
  readonly weight: number;
}

export function weightedMarks(fragments: readonly Fragment[]): WeightedMark[] {
  const marks: WeightedMark[] = [];
  everyWeightedMark(fragments, (text, at, weight) => {
    marks.push({ text, at, weight });
    return true;
  });
  return marks;
}

/** Whether the fragments hold these marks and no others, each with a weight that `isRight` for it. */
export function areWeighed(
  fragments: readonly Fragment[],
  marks: readonly WeightedMark[],
  isRight: (mark: WeightedMark, weight: number) => boolean,
): boolean {
  let next = 0;
  const isNext = (text: string, _: number, weight: number) => {
    const mark = marks[next++];
    return mark?.text === text && isRight(mark, weight);
  };
  return everyWeightedMark(fragments, isNext) && next === marks.length;
}

/** Whether `test` gives true for every mark of the fragments; no further ones are tested after false. */
function everyWeightedMark(
  fragments: readonly Fragment[],
  test: (text: string, at: number, weight: number) => boolean,
): boolean {
  return fragments.every(({ kind, text, starts, weight }) =>
    kind === 'break'
      ? test('BREAK', starts[0], weight)
      : everyCharacter({ text, starts }, (character, at) => test(character, at, weight)),
  );
}

/** The characters without their weights, with the parts and networks they are in. */
export function outline(nodes: readonly Node[]): Mark[] {
  const marks: Mark[] = [];
  everyMark(nodes, (text, at) => {
    marks.push({ text, at });
    return true;
  });
  return marks;
}

/** Whether the outline of nodes has the texts of these marks; nothing is made of it, as most of the readings of a long prompt are alike. */
export function isOutline(nodes: readonly Node[], marks: readonly Mark[]): boolean {
  let next = 0;
  return everyMark(nodes, (text) => marks[next++]?.text === text) && next === marks.length;
}

/** Tests a mark, given as its text and its place. */
type MarkTest = (text: string, at: number) => boolean;

/** Whether `test` gives true for every mark of the nodes' outline; no further ones are tested after false. */
function everyMark(nodes: readonly Node[], test: MarkTest): boolean {
  return nodes.every((node) => {
    switch (node.type) {
      case 'text':
        return everyCharacter(node, test);
      case 'weighted':
        return everyMark(node.children, test);
      case 'composite': {
        const isPart = ({ children, range }: CompositeNode['parts'][number]) =>
          test('part', range.start) && everyMark(children, test);
        return test(node.operator, node.start) && node.parts.every(isPart) && test('end', node.end - 0.5);
      }
      case 'network':
        return test(`${node.kind} ${node.name}`, node.start);
      default:
        return test(node.type, node.start);
    }
  });
}

function everyCharacter({ text, starts }: Pick<SourceText, 'text' | 'starts'>, test: MarkTest): boolean {
  for (let i = 0; i < text.length; i++) if (isVisible(text[i]) && !test(text[i], starts[i])) return false;
  return true;
}

function isVisible(unit: string): boolean {
  // Most are of ASCII, and a pattern takes long for so many.
  return (unit > ' ' && unit < '\x7f') || /\S/.test(unit);
}

/** The changes of ComfyUI's page: the comments, the choices in choices, and the options that are not chosen. */
export function asideOf({ source, page }: ParsedPrompt): string[] {
  if (!page) return [];
  const typed = ({ start, end }: Range) => source.slice(start, end);
  /** Ends of the choices that one is in, and its own. */
  const ends = new Uint32Array(page.choices.length);
  let depth = 0;
  const choices = page.choices.map(({ start, end, options, chosen }) => {
    while (depth > 0 && ends[depth - 1] <= start) depth--;
    ends[depth++] = end;
    let aside = String(depth);
    for (let i = 0; i < options.length; i++) aside += i === chosen ? '|' : `|${typed(options[i])}`;
    return aside;
  });
  return page.comments.map(typed).concat(choices);
}

/** Whether the changes of the page are the same before and after an edit, in whatever order. */
export function sameAside(before: readonly string[], after: readonly string[]): boolean {
  if (before.length !== after.length) return false;
  const isSame = (a: readonly string[], b: readonly string[]) => a.every((text, i) => text === b[i]);
  return isSame(before, after) || isSame(before.toSorted(), after.toSorted());
}

/** Equal but for what rounding does. */
export function sameWeight(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
}
