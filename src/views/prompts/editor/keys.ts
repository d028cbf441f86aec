import { history, historyKeymap, isolateHistory, standardKeymap } from '@codemirror/commands';
import { EditorSelection, type EditorState, type Extension, type TransactionSpec } from '@codemirror/state';
import { type Command, EditorView, type KeyBinding, keymap } from '@codemirror/view';
import type { Diagnostic, ParsedPrompt, Range } from '../../../prompt/ast.ts';
import { sameChooser } from '../../../prompt/comfy/dynamicPrompt.ts';
import { moveItem } from '../../../prompt/editing/moveItem.ts';
import { changeWeight } from '../../../prompt/editing/weightKeys.ts';
import type { Change } from '../../../prompt/edits.ts';
import { parsePrompt } from '../../../prompt/parsePrompt.ts';
import type { Syntax } from '../../../prompt/syntax.ts';
import { messageGroups } from '../messageGroups.ts';
import { factsField } from './editorFacts.ts';

/** Makes a transaction of edits that is undone as one step. */
export function editing({ edits, selection }: Pick<Change, 'edits'> & Partial<Change>): TransactionSpec {
  return {
    changes: edits.map(({ start, end, insert }) => ({ from: start, to: end, insert })),
    selection: selection && EditorSelection.single(selection.start, selection.end),
    annotations: isolateHistory.of('full'),
    userEvent: 'input.edit',
    scrollIntoView: true,
  };
}

/** Makes a command that changes the prompt at the selection. It uses up the key even if nothing changes. */
function command(
  change: (view: EditorView, selection: Range) => Change | null,
  say: (change: Change) => string,
): Command {
  return (view) => {
    const { from, to } = view.state.selection.main;
    const made = change(view, { start: from, end: to });
    if (made) view.dispatch(editing(made), { effects: EditorView.announce.of(say(made)) });
    return true;
  };
}

/** Reads the text of an editor, with the choices that ComfyUI's page has made in it. */
function parsedIn(state: EditorState): { readonly parsed: ParsedPrompt; readonly syntax: Syntax } {
  const { syntax = 'a1111', prepared } = state.field(factsField);
  const chooser = prepared?.dynamic && sameChooser(prepared.dynamic.choices);
  return { parsed: parsePrompt(state.doc.toString(), syntax, chooser), syntax };
}

function weigh(direction: -1 | 1, step: () => number): Command {
  return command(
    ({ state }, selection) => {
      const { parsed, syntax } = parsedIn(state);
      return changeWeight(parsed, selection, direction * step(), syntax);
    },
    ({ edits }) => `Weight ${/-?[\d.]+/.exec(edits[edits.length - 1].insert)?.[0] ?? 1}`,
  );
}

function move(direction: -1 | 1): Command {
  return command(
    ({ state }, selection) => {
      const { parsed, syntax } = parsedIn(state);
      return moveItem(parsed, selection, direction, syntax);
    },
    () => (direction < 0 ? 'Moved left' : 'Moved right'),
  );
}

/** Selects the text of the next message; after the last one, of the first. */
function nextDiagnostic(view: EditorView): boolean {
  const { prepared } = view.state.field(factsField);
  // Messages about a text of another length are about the one before the last keys.
  const diagnostics: readonly Diagnostic[] =
    prepared?.source.length === view.state.doc.length ? prepared.diagnostics : [];
  if (diagnostics.length === 0) return false;
  const { from, to } = view.state.selection.main;
  const isAfter = ({ start, end }: Diagnostic) => start > from || (start === from && end > to);
  const next = diagnostics.find(isAfter) ?? diagnostics[0];
  view.dispatch({
    selection: EditorSelection.single(next.start, next.end),
    effects: EditorView.announce.of(next.message),
    scrollIntoView: true,
  });
  // The message itself is marked in the list that describes the editor before anything else.
  const [listId] = (view.contentDOM.getAttribute('aria-describedby') ?? '').split(' ');
  const list = document.getElementById(listId)?.children ?? [];
  const at = messageGroups(diagnostics).findIndex((group) => group.includes(next));
  for (const [i, item] of [...list].entries()) item.toggleAttribute('data-current', i === at);
  list[at]?.scrollIntoView({ block: 'nearest' });
  return true;
}

/** Key bindings of an editor. The Tab key is not bound, so that it leaves the editor. */
export function keys(weightStep: () => number): Extension {
  const own: KeyBinding[] = [
    { key: 'Mod-ArrowUp', run: weigh(1, weightStep) },
    { key: 'Mod-ArrowDown', run: weigh(-1, weightStep) },
    { key: 'Alt-ArrowLeft', run: move(-1) },
    { key: 'Alt-ArrowRight', run: move(1) },
    { key: 'F8', run: nextDiagnostic },
  ];
  return [history(), keymap.of([...own, ...historyKeymap, ...standardKeymap])];
}
