import { type Extension, Prec, RangeSet } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { Range } from '../../prompt/ast.ts';
import { cssColour } from '../color.ts';
import { factsField, pointedField, setFacts } from './facts.ts';
import { bracketsBeside, syntaxMarks } from './syntaxMarks.ts';

const mark = (spec: Parameters<typeof Decoration.mark>[0], { start, end }: Range) =>
  Decoration.mark(spec).range(start, end);

/** Tokens underlined and tinted by weight, and the syntax around them, where they can be seen. */
function visibleMarks({ state, visibleRanges }: EditorView): DecorationSet {
  const { prepared, ranges, isShown, scale } = state.field(factsField);
  const length = state.doc.length;
  // Told of another text: the marks move with this one until the page has read it.
  if (!prepared || !scale || prepared.parsed.source.length !== length) return Decoration.none;
  const marks = visibleRanges.flatMap(({ from, to }) => [
    ...ranges
      .filter(({ start, end }) => start < to && from < end)
      .map((range) => {
        const { token, weight } = range;
        return mark(
          {
            class: token === null ? 'cut' : token % 2 ? 'token' : 'token odd',
            attributes: {
              ...(isShown && token !== null && { 'data-token': String(token) }),
              ...(weight !== 1 && { style: `background-color: ${cssColour(scale, weight)}` }),
            },
          },
          range,
        );
      }),
    ...syntaxMarks(prepared.parsed.nodes, from, to).map((range) => mark({ class: range.kind }, range)),
  ]);
  return Decoration.set(marks, true);
}

const visible = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = visibleMarks(view);
    }
    update({ docChanged, changes, viewportChanged, transactions, view }: ViewUpdate) {
      const isTold = transactions.some(({ effects }) => effects.some((effect) => effect.is(setFacts)));
      if (docChanged) this.decorations = this.decorations.map(changes);
      if (isTold || (viewportChanged && !docChanged)) this.decorations = visibleMarks(view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

const pointed = EditorView.decorations.compute([pointedField], (state) => {
  const { query, key } = state.field(pointedField);
  const marks = [];
  if (query) marks.push(mark({ attributes: { 'data-pointed': 'query' } }, query));
  if (key && key.start !== query?.start) marks.push(mark({ attributes: { 'data-pointed': 'key' } }, key));
  return Decoration.set(marks, true);
});

const brackets = EditorView.decorations.compute(['selection', factsField], (state) => {
  const { empty, head } = state.selection.main;
  const { prepared } = state.field(factsField);
  if (!empty || prepared?.parsed.source.length !== state.doc.length) return RangeSet.empty;
  const pair = bracketsBeside(prepared.parsed.nodes, head);
  return pair
    ? Decoration.set(
        pair.map((range) => mark({ class: 'match' }, range)),
        true,
      )
    : Decoration.none;
});

/** Outermost first. */
export const decorations: Extension = [factsField, pointedField, Prec.high(pointed), visible, Prec.low(brackets)];
