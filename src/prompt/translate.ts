/** Writing a prompt in another program's language. */

export const syntaxes = ['a1111', 'compel', 'comfy'] as const;
export type Syntax = (typeof syntaxes)[number];

/** What the program is called that reads each. */
export const programs: Readonly<Record<Syntax, string>> = { a1111: 'A1111', compel: 'Compel', comfy: 'ComfyUI' };

/** What a fragment says, wherever it was typed. */
export interface Piece {
  readonly kind: 'text' | 'break';
  readonly text: string;
  readonly weight: number;
}

/** Twelve digits: a weight reads as it was meant (1.21, not 1.2100000000000002) and is off by less than float32 shows. */
export function decimal(value: number): string {
  const short = Number(value.toPrecision(12));
  const text = String(short);
  // No program but ComfyUI reads an exponent.
  return text.includes('e') ? short.toFixed(20).replace(/\.?0+$/, '') : text;
}

/** Brackets and backslashes as text; BREAK, AND and tags cut in two by a backslash that A1111 drops. */
function escapeA1111(text: string): string {
  return text
    .replace(/[\\()[\]]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}_])(BREAK|AND)(?![\p{L}\p{N}_])/gu, (word) => `${word[0]}\\${word.slice(1)}`)
    .replace(/<(?=[\p{L}\p{N}_]+:)/gu, '<\\');
}

function printA1111(pieces: readonly Piece[]): string {
  const printed = pieces.map(({ kind, text, weight }) => {
    if (kind === 'break') return ' BREAK ';
    const escaped = escapeA1111(text);
    if (weight === 1 || text === '') return escaped;
    if (weight === 1.1) return `(${escaped})`;
    if (weight === 1 / 1.1) return `[${escaped}]`;
    return `(${escaped}:${decimal(weight)})`;
  });
  // A number after a colon at the very end would be taken for the weight of the whole prompt.
  return printed.join('').replace(/:(?=\s*[-+]?(?:\d+\.?|\d*\.\d+)\s*$)/, ':\\');
}

function printComfy(pieces: readonly Piece[]): string {
  return pieces
    .map(({ kind, text, weight }) => {
      if (kind === 'break') return ' ';
      const escaped = text.replace(/[()]/g, '\\$&');
      if (weight === 1 || text === '') return escaped;
      return weight === 1.1 ? `(${escaped})` : `(${escaped}:${decimal(weight)})`;
    })
    .join('');
}

/** Text between weights is words with spaces between them: Compel knows no other. */
function printCompel(pieces: readonly Piece[]): string {
  const rows: Piece[][] = [[]];
  for (const piece of pieces) {
    if (piece.kind === 'break') rows.push([]);
    else rows[rows.length - 1].push(piece);
  }
  const printed = rows.map((row) =>
    row
      .flatMap(({ text, weight }) => {
        const escaped = text.trim().replace(/[()"]/g, '\\$&');
        if (escaped === '') return [];
        if (weight === 1) return [escaped];
        if (weight === 1.1) return [`(${escaped})+`];
        if (weight === 0.9) return [`(${escaped})-`];
        return [`(${escaped})${decimal(weight)}`];
      })
      .join(' '),
  );
  return printed.length === 1 ? printed[0] : `(${printed.map((row) => `"${row}"`).join(', ')}).and()`;
}

/**
 * A prompt in `syntax` that weighs the same text the same, as far as that language can say it: A1111 cannot say `#`,
 * Compel a negative weight or a word that ends in + or −, ComfyUI a BREAK. Whoever shows the result compares the tokens.
 */
export function printPrompt(pieces: readonly Piece[], syntax: Syntax): string {
  switch (syntax) {
    case 'a1111':
      return printA1111(pieces);
    case 'compel':
      return printCompel(pieces);
    case 'comfy':
      return printComfy(pieces);
    default:
      return syntax satisfies never;
  }
}
