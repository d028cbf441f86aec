import { setDiagnostics } from '@codemirror/lint';
import { EditorState, type Extension, type Transaction, type TransactionSpec } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { parseInfotext } from '../../../prompt/a1111/infotext.ts';
import type { Diagnostic } from '../../../prompt/ast.ts';
import { longestPrompt } from '../../../prompt/bounds.ts';
import type { Side } from '../../../prompt/side.ts';
import { isBeingRead, prepared, shownChunk } from '../../../state/reading.ts';
import type { ClipscopeStore } from '../../../state/store.ts';
import type { ColourScale } from '../../pictures/color.ts';
import { nothing, type Pointed, pointed, tokenAt, tokenOf } from '../../pictures/pointed.ts';
import { decorations } from './decorations.ts';
import { type EditorFacts, pointedField, setFacts, setPointed } from './editorFacts.ts';
import { editing, keys } from './keys.ts';
import { fromPage, replacing, restored, undoesReplacements } from './replacing.ts';
import { chunkAtCaret, tokenAtCaret } from './tokenRanges.ts';

/** Messages that are underlined at once; the list under the prompt shows as many. */
const mostDiagnostics = 100;
/** Texts longer than this are read when no key has followed for `restOfKeys` milliseconds, so that keys are never held up. */
const longTyped = 16_000;
const restOfKeys = 250;

export interface PromptView {
  readonly view: EditorView;
  setScale(scale: ColourScale): void;
  destroy(): void;
}

/** Creates an editor of one of the store's prompts. It tells the store of edits, and shows the store's facts about the text. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: its functions share what the editor and the store know of each other.
export function createEditor(
  store: ClipscopeStore,
  side: Side,
  parent: HTMLElement,
  attributes: Readonly<Record<string, string>>,
  firstScale: ColourScale,
): PromptView {
  const { setPrompt, show, restore } = store.getState();
  let scale = firstScale;
  /** The store's text, as far as this editor knows. */
  let prompt = store.getState().prompts[side];
  let shownFacts: EditorFacts | undefined;
  let atCaret: Pointed | null = null;

  /** The text that the store has: of a long text that is being typed, the one before. */
  let known = prompt;
  const typing = afterKeys((text) => {
    known = text;
    setPrompt(side, text);
  });

  /** Says in a notice, as the store does, that what was typed or pasted makes the prompt too long; gives what is left of it. */
  const refuse = ({ newDoc }: Transaction): readonly TransactionSpec[] => {
    setPrompt(side, newDoc.toString());
    return [];
  };

  const isShown = () => store.getState().side === side;
  const showThis = () => {
    if (!isShown()) show({ side });
  };
  const texts = () => prepared(store.getState(), side)?.texts ?? [];

  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: prompt,
      extensions: [
        keys(() => store.getState().weightStep),
        undoesReplacements,
        decorations,
        EditorView.lineWrapping,
        EditorState.transactionFilter.of((transaction) => (isTooLong(transaction) ? refuse(transaction) : transaction)),
        EditorView.contentAttributes.of({ ...plainText, ...attributes }),
        EditorView.updateListener.of(({ docChanged, selectionSet, transactions, state }) => {
          if (docChanged && !transactions.some((transaction) => transaction.annotation(fromPage))) {
            prompt = state.doc.toString();
            const work = transactions.map(restored).find((replaced) => replaced !== null);
            if (work) restore(work);
            else typing.take(prompt);
            showThis();
          }
          if (!docChanged && !selectionSet) return;
          followCaret();
          if (!isShown() || !view.hasFocus) return;
          // Moving the caret into a chunk shows that chunk.
          const chunk = chunkAtCaret(texts(), state.selection.main.head);
          if (chunk !== null && chunk !== store.getState().chunk) show({ chunk });
        }),
        pageEvents(store, {
          isShown,
          showThis,
          followCaret,
          leaveCaret: () => pointed.leave(atCaret),
          tellNow: typing.now,
        }),
      ],
    }),
  });

  function followCaret() {
    if (!isShown() || !view.hasFocus) return;
    const place = tokenAtCaret(texts(), view.state.selection.main.head);
    atCaret = place === null ? nothing : tokenAt(place.token);
    pointed.rest(atCaret);
  }

  function markPointed() {
    if (typing.isWaiting()) return;
    const { query, key } = pointed.get();
    const rangeOf = (index: number | null) =>
      index === null || !isShown() ? null : (shownChunk(store.getState())?.chunk.tokens[index]?.range ?? null);
    const now = { query: rangeOf(query), key: rangeOf(key) };
    const before = view.state.field(pointedField);
    if (now.query !== before.query || now.key !== before.key) view.dispatch({ effects: setPointed.of(now) });
  }

  function follow() {
    const state = store.getState();
    if (state.prompts[side] !== known) {
      typing.drop();
      known = state.prompts[side];
      prompt = known;
      const change = replacing(view.state, prompt, state.replaced);
      if (change) view.dispatch(change);
    }
    // The store's facts are about the text before, or on their way: the marks move along with the text until then.
    if (typing.isWaiting() || isBeingRead(state, side)) return;
    const ready = prepared(state, side);
    const chunk = isShown() && ready ? Math.min(state.chunk, ready.chunks.length - 1) : null;
    const facts = { prepared: ready, syntax: state.options.syntax, chunk, scale };
    const before = shownFacts;
    if (before && Object.entries(facts).every(([name, value]) => before[name as keyof EditorFacts] === value)) return;
    shownFacts = facts;
    view.dispatch({ effects: setFacts.of(facts) });
    if (facts.prepared?.diagnostics !== before?.prepared?.diagnostics)
      view.dispatch(
        setDiagnostics(view.state, (facts.prepared?.diagnostics ?? []).slice(0, mostDiagnostics).map(underlined)),
      );
    markPointed();
    followCaret();
  }

  const leave = [store.subscribe(follow), pointed.subscribe(markPointed), typing.leave];
  follow();
  return {
    view,
    setScale(next) {
      scale = next;
      follow();
    },
    destroy() {
      for (const stop of leave) stop();
      view.destroy();
    },
  };
}

/** Passes a text on: at once, or, of a long one, when no key has followed for a moment. */
function afterKeys(pass: (text: string) => void) {
  let waiting: { readonly text: string; readonly timer: ReturnType<typeof setTimeout> } | null = null;
  function drop(): void {
    clearTimeout(waiting?.timer);
    waiting = null;
  }
  function now(): void {
    if (!waiting) return;
    const { text } = waiting;
    drop();
    pass(text);
  }
  addEventListener('pagehide', now);
  return {
    take(text: string): void {
      drop();
      if (text.length > longTyped) waiting = { text, timer: setTimeout(now, restOfKeys) };
      else pass(text);
    },
    now,
    drop,
    isWaiting: () => waiting !== null,
    leave(): void {
      now();
      removeEventListener('pagehide', now);
    },
  };
}

/** Whether an edit makes the text longer than a prompt may be. */
function isTooLong({ docChanged, newDoc, startState }: Transaction): boolean {
  return docChanged && newDoc.length > Math.max(longestPrompt, startState.doc.length);
}

function underlined({ code, start, end, severity, message, fix }: Diagnostic) {
  const apply = (view: EditorView) => {
    view.dispatch(editing({ edits: fix?.edits ?? [] }));
    view.focus();
  };
  return {
    from: start,
    to: end,
    severity,
    message,
    markClass: code === 'tokens-cut' ? 'about-cut' : undefined,
    actions: fix ? [{ name: fix.label, apply }] : [],
  };
}

/** Attributes that switch off a browser's changes to the text. */
const plainText = { spellcheck: 'false', autocorrect: 'off', autocapitalize: 'off' };

interface EditorActions {
  /** Whether the pictures show this prompt. */
  isShown(): boolean;
  /** Makes the pictures show this prompt. */
  showThis(): void;
  /** Points at the token at the caret. */
  followCaret(): void;
  /** Stops pointing at that token. */
  leaveCaret(): void;
  /** Tells the store of what was typed, if that still waits. */
  tellNow(): void;
}

/** Handles the events by which an editor and the rest of the page act on each other. */
function pageEvents(
  store: ClipscopeStore,
  { isShown, showThis, followCaret, leaveCaret, tellNow }: EditorActions,
): Extension {
  const { takeWritten, notePrompts } = store.getState();
  return EditorView.domEventHandlers({
    // Working in a prompt shows it; passing through with the Tab key does not.
    pointerdown: showThis,
    keydown: ({ key }) => {
      if (/^(Arrow|Home|End|Page)/.test(key)) showThis();
    },
    focus: followCaret,
    blur: () => {
      tellNow();
      leaveCaret();
      notePrompts();
    },
    pointermove: ({ target }) => {
      if (!isShown()) return;
      const index = tokenOf(target);
      pointed.over(index === null ? null : tokenAt(index));
    },
    pointerleave: () => pointed.over(null),
    paste(event) {
      const infotext = parseInfotext(event.clipboardData?.getData('text/plain') ?? '');
      if (infotext) void takeWritten({ program: 'a1111', infotext, remarks: [] }, 'Pasted');
      return infotext !== null;
    },
    // The page opens files that are dropped; the editor would paste them as text.
    drop: ({ dataTransfer }) => dataTransfer?.types.includes('Files') ?? false,
  });
}
