import { EditorSelection } from '@codemirror/state';
import { use, useImperativeHandle, useLayoutEffect, useMemo, useRef } from 'react';
import { StoreContext, useDark } from '../../page/useFacts.ts';
import { weightScale } from '../../pictures/color.ts';
import type { PromptInputProps } from '../promptHandle.ts';
import { createEditor, type PromptView } from './createEditor.ts';
import './editor.css';
import { editing } from './keys.ts';

/** The prompt in CodeMirror. It is loaded apart from the page; a text field stands in until then. */
export function PromptEditor({ side, labelId, descriptionId, start, handle }: PromptInputProps) {
  const store = use(StoreContext);
  const parent = useRef<HTMLDivElement>(null);
  const editor = useRef<PromptView>(null);
  const dark = useDark();
  const scale = useMemo(() => weightScale(dark), [dark]);
  const firstScale = useRef(scale);

  useLayoutEffect(() => {
    if (!store || !parent.current) return;
    const attributes = { id: `prompt-${side}`, 'aria-labelledby': labelId, 'aria-describedby': descriptionId };
    const created = createEditor(store, side, parent.current, attributes, firstScale.current);
    editor.current = created;
    return () => {
      editor.current = null;
      created.destroy();
    };
  }, [store, side, labelId, descriptionId]);
  useLayoutEffect(() => editor.current?.setScale(scale), [scale]);
  // If the text field was in use, typing goes on in the editor.
  useLayoutEffect(() => {
    if (!start || !editor.current) return;
    const { view } = editor.current;
    view.dispatch({ selection: EditorSelection.single(start.selection.start, start.selection.end) });
    view.focus();
  }, [start]);

  useImperativeHandle(handle, () => ({
    focus: () => editor.current?.view.focus(),
    select({ start, end }) {
      const view = editor.current?.view;
      view?.dispatch({ selection: EditorSelection.single(start, end), scrollIntoView: true });
      view?.focus();
    },
    apply(edits) {
      const view = editor.current?.view;
      view?.dispatch(editing({ edits }));
      view?.focus();
    },
  }));

  return <div ref={parent} />;
}
