import type { CommentNode, Diagnostic, Range, SourceText } from '../ast.ts';
import { joinSources, replacement, sliceSource, typedRange } from '../sourceText.ts';

/** In the original's order: comments that fill a line, then those that follow something on it. */
const comments = [/(^|\n)#[^\n]*(\n|$)/g, /#[^\n]*(\n|$)/g];

/**
 * Takes out `#` and the rest of its line, as stable-diffusion-webui 1.8 to 1.10 does before anything else with its setting
 * `enable_prompt_comments` on: each comment leaves a line feed, even at the end of the prompt. Nothing escapes a `#`.
 */
export function removeComments(source: SourceText): {
  readonly text: SourceText;
  readonly comments: readonly CommentNode[];
  readonly diagnostics: readonly Diagnostic[];
} {
  const nodes: CommentNode[] = [];
  const diagnostics: Diagnostic[] = [];
  const { text: typed } = source;
  for (let hash = typed.indexOf('#'); hash >= 0; ) {
    const lineFeed = typed.indexOf('\n', hash);
    const end = lineFeed < 0 ? typed.length : lineFeed;
    const range = typedRange(source, hash, end)!;
    nodes.push({ type: 'comment', ...range });
    const line = typed.slice(typed.lastIndexOf('\n', hash) + 1, hash);
    if (line.trim() !== '') diagnostics.push(midLine(range));
    hash = typed.indexOf('#', end);
  }
  return { text: comments.reduce(replaceByLineFeed, source), comments: nodes, diagnostics };
}

function replaceByLineFeed(source: SourceText, pattern: RegExp): SourceText {
  const parts: SourceText[] = [];
  let from = 0;
  for (const { 0: match, index } of source.text.matchAll(pattern)) {
    const end = index + match.length;
    parts.push(sliceSource(source, from, index), replacement('\n', typedRange(source, index, end)!));
    from = end;
  }
  return from === 0 ? source : joinSources([...parts, sliceSource(source, from)]);
}

function midLine({ start, end }: Range): Diagnostic {
  return {
    code: 'comment-in-line',
    severity: 'warning',
    start,
    end,
    message: 'A “#” and the rest of its line are a comment and not encoded: remove the “#” to keep the text.',
    fix: { label: 'Remove the “#”', edits: [{ start, end: start + 1, insert: '' }] },
  };
}
