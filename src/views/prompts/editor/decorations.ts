import { type Extension, Prec, RangeSet, StateEffect } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { Range } from '../../../prompt/ast.ts';
import { cssColour } from '../../pictures/color.ts';
import { factsField, pointedField, setFacts } from './editorFacts.ts';
import { bracketsBeside, syntaxMarks } from './syntaxMarks.ts';

/** Is sent when the visible text has left the marked range. */
const looked = StateEffect.define<null>();

const mark = (spec: Parameters<typeof Decoration.mark>[0], { start, end }: Range) =>
  Decoration.mark(spec).range(start, end);

/** Characters that are marked before and after the visible ones. */
const margin = 800;

/**
 * Returns roughly the visible range. CodeMirror renders a wrapped line of up to 20,000 characters whole, and thousands
 * of marks in it would make typing slow.
 */
function seen(view: EditorView): Range {
  const { scrollTop, clientHeight } = view.scrollDOM;
  const positionAt = (height: number) => {
    const { from, length, top, height: whole } = view.lineBlockAtHeight(height);
    return from + Math.round(length * Math.min(Math.max((height - top) / whole, 0), 1));
  };
  return { start: positionAt(scrollTop), end: positionAt(scrollTop + clientHeight) };
}

/** Underlines tokens, tints them by weight, and marks the syntax around them. */
function marksWithin({ state, visibleRanges }: EditorView, within: Range): DecorationSet {
  const { prepared, ranges, chunk, scale } = state.field(factsField);
  // The facts are about another text: the old marks move along with the edits until the page has read the new text.
  if (!prepared || !scale || prepared.source.length !== state.doc.length) return Decoration.none;
  const marks = visibleRanges.flatMap((visible) => {
    const from = Math.max(visible.from, within.start);
    const to = Math.min(visible.to, within.end);
    const tokens = ranges
      .filter(({ start, end }) => start < to && from < end)
      .map((range) => {
        const { place, weight, startsChunk } = range;
        if (!place) return mark({ class: 'cut' }, range);
        const attributes = {
          ...(place.chunk === chunk && { 'data-token': String(place.token) }),
          ...(startsChunk && { title: `Chunk ${place.chunk + 1} begins here` }),
          ...(weight !== 1 && { style: `background-color: ${cssColour(scale, weight)}` }),
        };
        const classes = [
          'token',
          ...(place.token % 2 ? [] : ['odd']),
          ...(weight !== 1 ? ['weighed'] : []),
          ...(startsChunk ? ['starts-chunk'] : []),
        ];
        return mark({ class: classes.join(' '), attributes }, range);
      });
    return [
      ...tokens,
      ...prepared.inactive
        .filter(({ start, end }) => start < to && from < end)
        .map((range) => mark({ class: 'inactive' }, range)),
      ...syntaxMarks(prepared.nodes, from, to).map((range) => mark({ class: range.kind }, range)),
    ];
  });
  return Decoration.set(marks, true);
}

const syntax = ViewPlugin.fromClass(
  class {
    within: Range = { start: 0, end: 2 * margin };
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = marksWithin(view, this.within);
    }
    update({ docChanged, changes, viewportChanged, geometryChanged, transactions, view }: ViewUpdate) {
      if (docChanged) this.decorations = this.decorations.map(changes);
      if (docChanged || geometryChanged) this.look(view);
      const effects = transactions.flatMap((transaction) => transaction.effects);
      if ((viewportChanged && !docChanged) || effects.some((effect) => effect.is(setFacts) || effect.is(looked)))
        this.decorations = marksWithin(view, this.within);
    }
    /** Marks the text that has become visible. */
    look(view: EditorView): void {
      view.requestMeasure({
        key: this,
        read: seen,
        write: ({ start, end }) => {
          if (this.within.start <= start && end <= this.within.end) return;
          this.within = { start: start - margin, end: end + margin };
          queueMicrotask(() => view.dispatch({ effects: looked.of(null) }));
        },
      });
    }
  },
  {
    decorations: (plugin) => plugin.decorations,
    eventObservers: {
      scroll(_, view) {
        this.look(view);
      },
    },
  },
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
  if (!empty || prepared?.source.length !== state.doc.length) return RangeSet.empty;
  const pair = bracketsBeside(prepared.nodes, head);
  return pair
    ? Decoration.set(
        pair.map((range) => mark({ class: 'match' }, range)),
        true,
      )
    : Decoration.none;
});

/** Decorations, the outermost first. */
export const decorations: Extension = [factsField, pointedField, Prec.high(pointed), syntax, Prec.low(brackets)];
