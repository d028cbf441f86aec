import { type RefObject, useImperativeHandle } from 'react';
import { parseInfotext } from '../../prompt/a1111/infotext.ts';
import { applyEdits } from '../../prompt/edits.ts';
import { useFacts } from '../page/useFacts.ts';
import type { PromptInputProps } from './promptHandle.ts';

/** The prompt in a text field, until the editor is loaded, or if it cannot be loaded. */
export function PlainInput({
  side,
  labelId,
  descriptionId,
  handle,
  field,
}: PromptInputProps & { readonly field: RefObject<HTMLTextAreaElement | null> }) {
  const prompt = useFacts((s) => s.prompts[side]);
  const setPrompt = useFacts((s) => s.setPrompt);
  const takeWritten = useFacts((s) => s.takeWritten);
  const notePrompts = useFacts((s) => s.notePrompts);
  const show = useFacts((s) => s.show);

  useImperativeHandle(handle, () => ({
    focus: () => field.current?.focus(),
    select({ start, end }) {
      field.current?.focus();
      field.current?.setSelectionRange(start, end);
    },
    apply(edits) {
      setPrompt(side, applyEdits(prompt, edits));
      field.current?.focus();
    },
  }));

  return (
    <textarea
      id={`prompt-${side}`}
      ref={field}
      value={prompt}
      spellCheck={false}
      autoComplete="off"
      aria-labelledby={labelId}
      aria-describedby={descriptionId}
      onChange={(event) => {
        setPrompt(side, event.target.value);
        show({ side });
      }}
      onPointerDown={() => show({ side })}
      onKeyDown={({ key }) => /^(Arrow|Home|End|Page)/.test(key) && show({ side })}
      onBlur={notePrompts}
      onPaste={(event) => {
        const infotext = parseInfotext(event.clipboardData.getData('text/plain'));
        if (!infotext) return;
        event.preventDefault();
        void takeWritten({ program: 'a1111', infotext, remarks: [] }, 'Pasted');
      }}
    />
  );
}
