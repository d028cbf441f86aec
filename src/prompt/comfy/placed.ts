import type { Diagnostic, Edit, Node, ParsedPrompt, Range, SourceText } from '../ast.ts';

/**
 * Takes a prompt that was read from `text`, with ranges of that, and gives it with ranges of `source`, in which `text` was
 * typed. A fix is left out if its edits would meet what is not in the text.
 */
export function placed(parsed: ParsedPrompt, text: SourceText, source: string): ParsedPrompt {
  const { starts, ends } = text;
  const placeOf = (at: number) => starts[at] ?? ends.at(-1) ?? 0;
  const rangeOf = ({ start, end }: Range): Range =>
    start < end ? { start: starts[start], end: ends[end - 1] } : { start: placeOf(start), end: placeOf(start) };
  const unitsOf = (derived: SourceText): SourceText => ({
    text: derived.text,
    starts: derived.starts.map((at) => starts[at]),
    ends: derived.ends.map((at) => ends[at - 1]),
  });
  const nodeOf = (node: Node): Node => {
    if (node.type === 'text') return { ...node, ...unitsOf(node), ...rangeOf(node) };
    if (node.type !== 'weighted') return { ...node, ...rangeOf(node) };
    const { open, close, number } = node;
    const typedNumber = number && rangeOf(number);
    // A number that has a comment or a choice in it cannot be typed anew by itself.
    const isWhole = number && typedNumber && typedNumber.end - typedNumber.start === number.end - number.start;
    return {
      ...node,
      ...rangeOf(node),
      children: node.children.map(nodeOf),
      open: open && rangeOf(open),
      close: close && rangeOf(close),
      number: isWhole ? typedNumber : null,
    };
  };
  const editOf = (edit: Edit): Edit | null => {
    const { start, end } = edit;
    const isAtEnd = start === starts.length && end === start;
    const range = isAtEnd ? { start: ends.at(-1) ?? 0, end: ends.at(-1) ?? 0 } : rangeOf(edit);
    const isWhole = range.end - range.start === end - start;
    // A backslash at the end of the text stands before what is inserted after it.
    return isWhole && !(isAtEnd && source[range.start - 1] === '\\') ? { ...range, insert: edit.insert } : null;
  };
  const diagnosticOf = ({ fix, ...diagnostic }: Diagnostic): Diagnostic => {
    const edits = fix?.edits.map(editOf);
    const isMeant = edits?.every((edit) => edit !== null);
    return { ...diagnostic, ...rangeOf(diagnostic), ...(fix && isMeant && { fix: { label: fix.label, edits } }) };
  };
  return {
    source,
    nodes: parsed.nodes.map(nodeOf),
    fragments: parsed.fragments.map((fragment) => ({ ...fragment, ...unitsOf(fragment), ...rangeOf(fragment) })),
    diagnostics: parsed.diagnostics.map(diagnosticOf),
  };
}
