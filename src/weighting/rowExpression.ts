/** A small language of rows: sums, products and projections of vectors, as they are written in a formula. Nothing of it is run as code. */
import type { Range } from '../prompt/ast.ts';

/** Rows [d] that an expression may name: the encoder's, the empty prompt's and another prompt's at the same place, the mean of the chunk's rows, and the row without the context of others. */
export const vectorNames = ['z', 'empty', 'mean', 'r', 'alone'] as const;
export type VectorName = (typeof vectorNames)[number];

/** Gives the values that an expression names; `w` is the typed weight. */
export interface RowValues {
  vector(name: VectorName): ArrayLike<number>;
  readonly w: number;
}

type Value = number | Float64Array;

/** An expression that was read: what it needs, and what it comes to for a row. */
export interface RowExpression {
  readonly names: ReadonlySet<VectorName>;
  /** Whether it names the typed weight, w. */
  readonly isWeighed: boolean;
  /** Computes the row, [d]. */
  row(values: RowValues): Float64Array;
}

/** An expression that cannot be read. The message is one sentence; `range` is the place of the mistake in the text. */
export class ExpressionError extends Error {
  override name = 'ExpressionError';
  readonly range: Range;
  constructor(message: string, range: Range) {
    super(message);
    this.range = range;
  }
}

/** The longest expression that is read. */
const longest = 400;

type Kind = 'number' | 'vector';
interface Node {
  readonly kind: Kind;
  of(values: RowValues): Value;
}

interface Token extends Range {
  readonly text: string;
}

const dotOf = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const scaled = (a: Float64Array, factor: number) => a.map((value) => value * factor);

/** Functions by name: what they take, what they give, and their values. */
const functions: Readonly<Record<string, { takes: number; gives: Kind; of(a: Float64Array, b: Float64Array): Value }>> =
  {
    dot: { takes: 2, gives: 'number', of: dotOf },
    norm: { takes: 1, gives: 'number', of: (a) => Math.sqrt(dotOf(a, a)) },
    /** The part of a along b; 0 where b is 0. */
    proj: {
      takes: 2,
      gives: 'vector',
      of: (a, b) => scaled(b, dotOf(b, b) === 0 ? 0 : dotOf(a, b) / dotOf(b, b)),
    },
  };

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const [found] = /^(?:\s+|\d+(?:\.\d*)?|\.\d+|[a-z]+|[-−+*·/(),])/i.exec(text.slice(at)) ?? [];
    if (found === undefined)
      throw new ExpressionError(`“${text[at]}” has no meaning in an expression.`, { start: at, end: at + 1 });
    if (found.trim() !== '') tokens.push({ text: found, start: at, end: at + found.length });
    at += found.length;
  }
  return tokens;
}

/** Reads an expression whose result is a row. Throws ExpressionError. */
export function rowExpression(text: string): RowExpression {
  const whole = { start: 0, end: text.length };
  if (text.length > longest)
    throw new ExpressionError(`An expression has at most ${longest} characters, not ${text.length}.`, whole);
  const tokens = tokensOf(text);
  const names = new Set<VectorName>();
  let isWeighed = false;
  let at = 0;
  const fail = (message: string, token: Range | undefined = tokens[at]): never => {
    throw new ExpressionError(message, token ?? { start: text.length, end: text.length });
  };
  const take = (...texts: string[]): Token | undefined => (texts.includes(tokens[at]?.text) ? tokens[at++] : undefined);
  const expect = (sign: string) => take(sign) ?? fail(`Here “${sign}” is missing.`);

  function sum(): Node {
    let left = product();
    for (let sign = take('+', '-', '−'); sign; sign = take('+', '-', '−')) {
      const [a, b, factor] = [left, product(), sign.text === '+' ? 1 : -1];
      if (a.kind !== b.kind) fail(`A row and a number cannot be ${factor > 0 ? 'added' : 'subtracted'}.`, sign);
      left = { kind: a.kind, of: (values) => added(a.of(values), b.of(values), factor) };
    }
    return left;
  }
  function product(): Node {
    let left = signed();
    for (let sign = take('*', '·', '/'); sign; sign = take('*', '·', '/')) {
      const [a, b] = [left, signed()];
      if (sign.text === '/') {
        if (b.kind === 'vector') fail('Nothing can be divided by a row.', sign);
        left = { kind: a.kind, of: (values) => times(a.of(values), 1 / (b.of(values) as number)) };
        continue;
      }
      if (a.kind === 'vector' && b.kind === 'vector')
        fail('Two rows cannot be multiplied: dot(a, b) is their scalar product.', sign);
      const kind = a.kind === 'vector' || b.kind === 'vector' ? 'vector' : 'number';
      left = { kind, of: (values) => product2(a.of(values), b.of(values)) };
    }
    return left;
  }
  function signed(): Node {
    if (!take('-', '−')) return atom();
    const of = signed();
    return { kind: of.kind, of: (values) => times(of.of(values), -1) };
  }
  function atom(): Node {
    if (take('(')) {
      const inner = sum();
      expect(')');
      return inner;
    }
    const token = tokens[at] ?? fail('The expression ends too early.');
    at++;
    if (/^[\d.]/.test(token.text)) {
      const value = Number(token.text);
      return { kind: 'number', of: () => value };
    }
    if (token.text === 'w') {
      isWeighed = true;
      return { kind: 'number', of: ({ w }) => w };
    }
    const name = vectorNames.find((known) => known === token.text);
    if (name) {
      names.add(name);
      return { kind: 'vector', of: (values) => Float64Array.from(values.vector(name)) };
    }
    if (!Object.hasOwn(functions, token.text))
      return fail(
        `“${token.text}” is not known: an expression has ${vectorNames.join(', ')}, w, numbers, + − * / and ${Object.keys(functions).join(', ')}.`,
        token,
      );
    return call(token);
  }
  function call(token: Token): Node {
    const { takes, gives, of } = functions[token.text];
    expect('(');
    const taken = [sum()];
    while (take(',')) taken.push(sum());
    expect(')');
    if (taken.length !== takes || taken.some(({ kind }) => kind !== 'vector'))
      fail(`${token.text} takes ${takes === 1 ? 'one row' : `${takes} rows`}.`, token);
    const [a, b = a] = taken;
    return { kind: gives, of: (values) => of(a.of(values) as Float64Array, b.of(values) as Float64Array) };
  }

  const read = sum();
  if (at < tokens.length) fail(`“${tokens[at].text}” is not expected here.`);
  if (read.kind !== 'vector') fail('The result has to be a row, not a number: write z * 1.2, not 1.2.', whole);
  return { names, isWeighed, row: (values) => read.of(values) as Float64Array };
}

function added(a: Value, b: Value, factor: number): Value {
  if (typeof a === 'number') return a + factor * (b as number);
  return a.map((value, i) => value + factor * (b as Float64Array)[i]);
}

function times(a: Value, factor: number): Value {
  return typeof a === 'number' ? a * factor : scaled(a, factor);
}

function product2(a: Value, b: Value): Value {
  return typeof b === 'number' ? times(a, b) : times(b, a as number);
}
