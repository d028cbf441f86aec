/** The prompt languages' common form. Every range is in UTF-16 units of the prompt as the person typed it. */

/** Half-open: source.slice(start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Text derived from a prompt (escapes resolved, comments and tags removed, one schedule step chosen) that still knows
 * where each of its characters was typed.
 */
export interface SourceText {
  readonly text: string;
  /** [text.length] Where in the prompt each UTF-16 unit of `text` was typed: it starts at `starts[i]` and ends at `ends[i]`. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** A run of text with one weight: what a tokenizer gets. */
export interface Fragment extends Range, SourceText {
  readonly kind: 'text' | 'break';
  readonly weight: number;
}

export type Severity = 'error' | 'warning' | 'info';

export interface Edit extends Range {
  readonly insert: string;
}

/** Something to tell a person about a place in the prompt, with the edits that would mend it where there are any. */
export interface Diagnostic extends Range {
  /** Stable, kebab-case: `not-a-number-weight`, `unclosed-bracket`. */
  readonly code: string;
  readonly severity: Severity;
  /** One clear sentence: what is wrong and what to do. */
  readonly message: string;
  readonly fix?: { readonly label: string; readonly edits: readonly Edit[] };
}

export interface TextNode extends Range, SourceText {
  readonly type: 'text';
}

/** `(x)`, `(x:1.5)`, `[x]`, `word++`, `(x)1.2`, `"x".attend(1.2)`. */
export interface WeightedNode extends Range {
  readonly type: 'weighted';
  readonly children: readonly Node[];
  /** The number that multiplies the weight around this node or, in ComfyUI, replaces it: `effect` says which. */
  readonly value: number;
  readonly effect: 'multiply' | 'replace';
  readonly form: 'round' | 'round-number' | 'square' | 'suffix-signs' | 'suffix-number' | 'attend';
  /**
   * Opening and closing marks, the number in the closing one: `:1.5)`. Null where there is none: a bare Compel word, an
   * unclosed bracket, the pieces of brackets that cross.
   */
  readonly open: Range | null;
  readonly close: Range | null;
  /** The typed number or signs. */
  readonly number: Range | null;
}

/** The word BREAK. It weighs −1 times what is around it, and starts a new chunk only if that is exactly −1. */
export interface BreakNode extends Range {
  readonly type: 'break';
}

/** A1111 `[before:after:when]` and `[after:when]`. */
export interface ScheduledNode extends Range {
  readonly type: 'scheduled';
  readonly before: readonly Node[];
  readonly after: readonly Node[];
  /** `[after:when]`, with one colon. */
  readonly withoutBefore: boolean;
  /** Place of the number in the prompt. */
  readonly when: Range;
  /** The number as typed: with a point in it a share of the steps, without one a step. */
  readonly number: string;
}

/** A1111 `[a|b|c]`. */
export interface AlternateNode extends Range {
  readonly type: 'alternate';
  readonly options: readonly (readonly Node[])[];
}

/** A1111 `<lora:name:0.8>`, Compel `withLora(name, 0.8)`, ComfyUI `embedding:name`. */
export interface NetworkNode extends Range {
  readonly type: 'network';
  readonly kind: string;
  readonly name: string;
  readonly args: readonly string[];
}

export interface CommentNode extends Range {
  readonly type: 'comment';
}

/** ComfyUI's `{a|b}`, of which its page chooses one. Its text is in other nodes. */
export interface ChoiceNode extends Range {
  readonly type: 'choice';
  /** Places of the braces and bars; the last brace may be missing. */
  readonly marks: readonly Range[];
  readonly options: readonly Range[];
  /** Index of the option that was chosen. */
  readonly chosen: number;
}

/** Prompts encoded apart and then combined: A1111 AND (sampling), Compel .and() (rows) and .blend() (mean), .swap(). */
export interface CompositeNode extends Range {
  readonly type: 'composite';
  readonly operator: 'AND' | 'and' | 'blend' | 'swap';
  readonly parts: readonly { readonly children: readonly Node[]; readonly weight: number; readonly range: Range }[];
}

export type Node =
  | TextNode
  | WeightedNode
  | BreakNode
  | ScheduledNode
  | AlternateNode
  | NetworkNode
  | CommentNode
  | ChoiceNode
  | CompositeNode;

/** The marks by which ComfyUI's page changes a prompt before it is read. */
export interface PageChanges {
  readonly comments: readonly CommentNode[];
  /** The choices that were made, in order; none in options that were not chosen. */
  readonly choices: readonly ChoiceNode[];
}

/** A prompt as the parser of its language returns it. Parsers never throw. */
export interface ParsedPrompt {
  readonly source: string;
  readonly nodes: readonly Node[];
  readonly fragments: readonly Fragment[];
  readonly diagnostics: readonly Diagnostic[];
  /** ComfyUI: the changes that its page made first; missing where the text was read as typed. */
  readonly page?: PageChanges;
}
