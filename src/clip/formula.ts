/** Formulas as data: MathML's elements, which browsers draw by themselves, and the same formula as a line of plain text. */

type MathTag =
  | 'mi'
  | 'mn'
  | 'mo'
  | 'mtext'
  | 'mrow'
  | 'msub'
  | 'msup'
  | 'msubsup'
  | 'mfrac'
  | 'msqrt'
  | 'mover'
  | 'munder'
  | 'munderover'
  | 'mtable'
  | 'mtr'
  | 'mtd';

/** An element of MathML: its text where it is a leaf, else its children. */
export interface Formula {
  readonly tag: MathTag;
  readonly children: readonly Formula[] | string;
  /** The letter of a matrix is set in bold; an index picks an entry, and is no part of a name. */
  readonly role?: 'matrix' | 'indexed';
}

type Part = Formula | string;

/** Reads one symbol: digits are a number, letters a name, a lone capital a matrix, anything else an operator. */
function leaf(symbol: string): Formula {
  if (/^[\d.]+$/.test(symbol)) return { tag: 'mn', children: symbol };
  if (/^[A-Z]$/.test(symbol)) return { tag: 'mi', children: symbol, role: 'matrix' };
  if (/^\p{L}[\p{L}\p{N}₀-₉]*$/u.test(symbol)) return { tag: 'mi', children: symbol };
  return { tag: 'mo', children: symbol };
}

const node = (tag: MathTag, ...children: readonly Formula[]): Formula => ({ tag, children });

/** Writes parts one after the other; a string holds symbols with spaces between them: `'Y = X + H'`. */
export function math(...parts: readonly Part[]): Formula {
  const children = parts.flatMap((part) => (typeof part === 'string' ? part.trim().split(/\s+/).map(leaf) : [part]));
  return children.length === 1 ? children[0] : node('mrow', ...children);
}

/** Words in a formula. */
export const words = (text: string): Formula => ({ tag: 'mtext', children: text });
/** A letter with a tilde above it. */
export const tilde = (letter: Part): Formula => node('mover', math(letter), leaf('~'));
/** `base` with a part of its name below: the weight W of the queries. */
export const sub = (base: Part, name: Part): Formula => node('msub', math(base), math(name));
/** The entry of `base` at these indices. */
export const at = (base: Part, ...indices: readonly Part[]): Formula => ({
  ...node('msub', math(base), math(...indices)),
  role: 'indexed',
});
/** `base` with an exponent. */
export const sup = (base: Part, exponent: Part): Formula => node('msup', math(base), math(exponent));
export const transpose = (base: Part): Formula => sup(base, '⊤');
export const fraction = (above: Part, below: Part): Formula => node('mfrac', math(above), math(below));
export const root = (part: Part): Formula => node('msqrt', math(part));
/** The sign of a sum over `index`, to `limit` where one is given. */
export const sum = (index: Part, limit?: Part): Formula =>
  limit === undefined
    ? node('munder', leaf('∑'), math(index))
    : node('munderover', leaf('∑'), math(index), math(limit));
/** A function by cases: `[value, condition]` a line. */
export const cases = (...lines: readonly (readonly [value: Part, condition: Part])[]): Formula =>
  node(
    'mrow',
    leaf('{'),
    node('mtable', ...lines.map((line) => node('mtr', ...line.map((part) => node('mtd', math(part)))))),
  );

const exponents: Readonly<Record<string, string>> = { '⊤': 'ᵀ', '2': '²' };

/** The formula as a line of text: `s = q · k / √dh`. For README, and for those who hear it. */
export function formulaText(formula: Formula): string {
  const { tag, children, role } = formula;
  if (typeof children === 'string') return children;
  const texts = children.map(formulaText);
  const [first, second, third] = texts;
  /** Puts the parts of a fraction or a root in brackets where they are more than one thing. */
  const held = (text: string) => (/\s/.test(text) && !/^[([|].*[)\]|]$/.test(text) ? `(${text})` : text);
  switch (tag) {
    case 'msub':
      return role === 'indexed' ? `${first}[${second}]` : `${first}_${held(second)}`;
    case 'msup':
      return exponents[second] ? `${first}${exponents[second]}` : `${first}^${held(second)}`;
    case 'msubsup':
      return `${first}_${second}^${third}`;
    case 'mover':
      return `${first}\u0303`;
    case 'mfrac':
      return `${held(first)} / ${held(second)}`;
    case 'msqrt':
      return `√${texts.length > 1 || /\s/.test(first) ? `(${texts.join(' ')})` : first}`;
    case 'munder':
      return `${first}[${second}]`;
    case 'munderover':
      return `${first}[${second} … ${third}]`;
    case 'mtable':
      return texts.join('; ');
    default:
      return texts
        .join(' ')
        .replace(/ ([,)\]|;])/g, '$1')
        .replace(/([([]) /g, '$1')
        .replace(/(\p{L}) \(/gu, '$1(');
  }
}
