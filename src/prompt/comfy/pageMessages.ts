/** Sentences about what ComfyUI's page does to a prompt. */
import type { ChoiceNode, CommentNode, Diagnostic } from '../ast.ts';
import { fixWith, info, insertion, warning } from '../diagnostics.ts';
import type { DynamicPrompt } from './dynamicPrompt.ts';

/** Tells of each comment and choice, of the first brace that is not closed, and of what is left of other marks. */
export function pageMessages({ text, comments, choices, open: { source } }: DynamicPrompt): Diagnostic[] {
  const diagnostics = [
    ...comments.map((comment) => removedComment(comment, source)),
    ...choices.filter(isClosed).map((choice) => madeChoice(choice, source)),
  ];
  const unclosed = choices.find((choice) => !isClosed(choice));
  if (unclosed) diagnostics.push(unclosedChoice(unclosed));
  const opening = comments.length === 0 ? source.indexOf('/*') : text.text.indexOf('/*');
  const start = text.starts[opening];
  if (opening >= 0 && source.startsWith('/*', start)) {
    const message = 'No “*/” closes this “/*”, so it begins no comment and is encoded as text: close it, or remove it.';
    diagnostics.push(info('unclosed-comment', { start, end: start + 2 }, message));
  }
  const last = text.starts.length - 1;
  if (text.text.endsWith('\\undefined') && source[text.starts[last]] === '\\') {
    const range = { start: text.starts[last], end: text.ends[last] };
    const message =
      'After a backslash at the very end ComfyUI’s page writes the word “undefined”: remove the backslash.';
    diagnostics.push(warning('backslash-at-end', range, message, fixWith('Remove it', { ...range, insert: '' })));
  }
  return diagnostics;
}

function removedComment(comment: CommentNode, source: string): Diagnostic {
  const { start } = comment;
  const isAddress = /[a-z]:$/i.test(source.slice(Math.max(0, start - 2), start)) && source[start + 1] === '/';
  if (!isAddress)
    return info('page-comment', comment, 'ComfyUI’s page removes this comment before it reads the prompt.');
  const message =
    'ComfyUI’s page takes “//” and the rest of the line for a comment and removes them before it reads the prompt: write “/{}/” to keep them.';
  return warning('page-comment', comment, message, fixWith('Write “/{}/”', insertion(start + 1, '{}')));
}

function isClosed({ marks, options }: ChoiceNode): boolean {
  return marks.length > options.length;
}

function unclosedChoice({ start }: ChoiceNode): Diagnostic {
  const message =
    'This “{” is never closed, so ComfyUI’s page chooses from all that follows: add a “}”, or type “\\{” for the character.';
  const fix = fixWith('Type “\\{”', insertion(start, '\\'));
  return warning('unclosed-choice', { start, end: start + 1 }, message, fix);
}

function madeChoice({ start, end, options, chosen }: ChoiceNode, source: string): Diagnostic {
  const { start: from, end: to } = options[chosen];
  const typed = source.slice(from, to);
  if (options.length === 1) {
    const message =
      'ComfyUI’s page takes braces for a choice, here of one, and drops them: type “\\{” and “\\}” for the characters.';
    const isPlain = !/[\\{/]/.test(typed);
    const fix = fixWith('Type “\\{” and “\\}”', insertion(start, '\\'), insertion(to, '\\'));
    return info('choice-of-one', { start, end }, message, isPlain ? fix : undefined);
  }
  const shown = typed.trim() === '' ? 'nothing' : `“${excerpt(typed.trim())}”`;
  return info(
    'page-choice',
    { start, end },
    `ComfyUI’s page chooses one of ${options.length} here: this time ${shown}.`,
  );
}

function excerpt(typed: string): string {
  return typed.length > 60 ? `${typed.slice(0, 59)}…` : typed;
}
