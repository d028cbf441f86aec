import type { Ref } from 'react';
import type { Edit, Range } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';

/** Actions on a prompt's text from outside of its editor. */
export interface PromptHandle {
  focus(): void;
  select(range: Range): void;
  /** Applies the edits as one step that can be undone. */
  apply(edits: readonly Edit[]): void;
}

export interface PromptInputProps {
  readonly side: Side;
  readonly labelId: string;
  readonly descriptionId: string;
  /** The selection of the input before this one, where a person was typing in it; else null. */
  readonly start: { readonly selection: Range } | null;
  readonly handle: Ref<PromptHandle>;
}
