import type { RefObject } from 'react';
import type { Range } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';
import type { PromptHandle } from './promptHandle.ts';

/** The prompts on the page, for views that lead to a place in one; a prompt enters itself while it is mounted. */
export const promptHandles = new Map<Side, RefObject<PromptHandle | null>>();

/** Selects a range of a prompt and moves the focus there; nothing while that prompt is not on the page. */
export function selectInPrompt(side: Side, range: Range): void {
  promptHandles.get(side)?.current?.select(range);
}
