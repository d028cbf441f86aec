/** Prompts of any length that repeat one thing, to see how the time to read a prompt grows with its length. */
import type { Syntax } from '../prompt/syntax.ts';

/** Prompts that repeat one thing. */
export interface Family {
  /** Says what is repeated, and how. */
  readonly name: string;
  /** Gives a prompt of about that many UTF-16 units. */
  prompt(length: number): string;
}

/** The marks of every language's grammar, and those that the linter knows besides. */
const marks: Readonly<Record<Syntax, readonly string[]>> = {
  a1111: [
    '(',
    ')',
    '[',
    ']',
    ':',
    '|',
    '\\',
    ',',
    '#',
    '\n',
    '<',
    '>',
    '<lora:',
    '<lora:a:1>',
    ' AND ',
    ' BREAK ',
    'AND',
    'BREAK',
    ':1.2',
    '(a',
    '(a:',
    '(a:1.2)',
    '[a:',
    '[a|',
    '[a:b:0.5]',
    '[a|b]',
  ],
  compel: [
    '(',
    ')',
    '"',
    '+',
    '-',
    ',',
    '.',
    '=',
    '\\',
    '\n',
    '.swap(',
    '.and(',
    '.blend(',
    '.attend(',
    '.attend(1.2)',
    '.and()',
    'a+ ',
    '(a',
    '(a)1.2',
    '"a"',
    'a.swap(b)',
    '("a", "b").and()',
    '("a", ',
    'withLora(',
    'withLora(a, 1)',
    '1.2',
    'plus++ ',
  ],
  comfy: [
    '(',
    ')',
    ':',
    '\\',
    '\\(',
    '\\)',
    ',',
    '\n',
    ':1.2',
    ':1.2)',
    '(a',
    '(a:',
    '(a:1.2)',
    'embedding:',
    ' embedding:',
    'embedding:a,,,b',
    ' embedding:a',
    '{',
    '|',
    '}',
    '{a|b}',
    '//',
    '/*',
    '*/',
    '"',
  ],
};

/** Text and foreign marks, which every language is given. */
const common = [
  'a',
  ' ',
  'a ',
  '1',
  '.5',
  '_',
  '__',
  '{',
  '}',
  '（',
  '）',
  '：',
  '(a:',
  '(a)++',
  'a+',
  '<lora:a:1>',
  'embedding:a',
  '"',
  '//',
  '/*',
];

/** One or more characters of each class that some stage treats by itself. */
const characters: Readonly<Record<string, string>> = {
  letter: 'a',
  capital: 'Q',
  sigma: 'Σ',
  'dotted i': 'İ',
  'long s': 'ſ',
  digit: '7',
  'mathematical digit': '\u{1d7d8}',
  'last mathematical digit': '\u{1d7ff}',
  'Arabic digit': '٣',
  'full-width digit': '３',
  mark: '\u0301',
  'marked letter': 'e\u0301',
  'two marks': '\u0301\u0323',
  'iota below': '\u0345',
  Hangul: '\u1112\u1161\u11ab',
  CJK: '猫',
  'rare CJK': '\u{20000}',
  'compatible CJK': '\uf900',
  emoji: '😀',
  family: '👩‍👩‍👧',
  flag: '🇩🇪',
  'high surrogate': '\ud83d',
  'low surrogate': '\ude00',
  tab: '\t',
  'line feed': '\n',
  'carriage return': '\r',
  'vertical tab': '\v',
  'form feed': '\f',
  'next line': '\x85',
  'no-break space': '\xa0',
  'wide space': '\u3000',
  'thin space': '\u2009',
  'line separator': '\u2028',
  'zero width': '\u200b',
  'byte order': '\ufeff',
  'file separator': '\x1c',
  nul: '\0',
  escape: '\x1b[1m',
  'open escape': '\x1b[',
  'escape character': '\x1b',
  control: '\x90',
  private: '\ue000',
  replacement: '\ufffd',
  'full-width letter': 'Ａ',
  'full-width comma': '，',
  'full-width stop': '．',
  'half-width': 'ﾊﾟ',
  ligature: 'ﬁ',
  'long ligature': 'ﬃ',
  '&amp;': '&amp;',
  '&': '&',
  'amp;': 'amp;',
  '&#': '&#',
  '&#6': '&#65',
  '&#65;': '&#65;',
  '&EACUTE;': '&EACUTE;',
  '&notit;': '&notit;',
  '&lt': '&lt',
  'esc;': 'esc;',
  '<': '<',
  '>': '>',
  'mojibake schön': 'schÃ¶n',
  'mojibake quote': 'â€™',
  'mojibake pound': 'Â£',
  'mojibake Ã': 'Ã',
  'mojibake â': 'â€',
  'mojibake ellipsis': 'âĢ¦',
  'curly quotes': '“”',
  apostrophe: '’',
  quote: '"',
  single: "'",
  "'s": "'s",
  "don't": "don't ",
  backslash: '\\',
  special: '<|endoftext|>',
  'open special': '<|',
  'start special': '<|startoftext',
  hyphen: '-',
  punctuation: '!?',
  tilde: '~',
  caret: '^',
  asterisk: '*',
  slash: '/',
  percent: '%',
  at: '@',
  dollar: '$',
  backtick: '`',
};

/** Repeats a unit an even number of times, so that it begins anew in the middle of a prompt of any length. */
function repeated(unit: string, length: number): string {
  return unit.repeat(2 * Math.max(1, Math.floor(length / (2 * unit.length))));
}

function inARow(name: string, unit: string): Family {
  return { name, prompt: (length) => repeated(unit, length) };
}

/** `((…))`: as many of one as of the other, a word between. */
function nested(open: string, close: string): Family {
  const prompt = (length: number) => {
    const depth = Math.max(1, Math.floor(length / (open.length + close.length)));
    return `${open.repeat(depth)}x${close.repeat(depth)}`;
  };
  return { name: `${JSON.stringify(open)} around ${JSON.stringify(close)}`, prompt };
}

/** `(aaaa)`: one of each around what is repeated. */
function between(first: string, unit: string, last: string): Family {
  const name = `${JSON.stringify(unit)} between ${JSON.stringify(first)} and ${JSON.stringify(last)}`;
  return { name, prompt: (length) => first + repeated(unit, length) + last };
}

/** Repeats each class of characters. */
export function characterFamilies(): Family[] {
  return Object.entries(characters).map(([name, unit]) => inARow(name, unit));
}

/** Repeats each mark of a language, and those of the others. */
export function markFamilies(syntax: Syntax): Family[] {
  return [...new Set([...marks[syntax], ...common])].map((mark) => inARow(JSON.stringify(mark), mark));
}

/** Repeats each pair of marks of a language, in a row and nested. */
export function pairFamilies(syntax: Syntax): Family[] {
  const all = marks[syntax];
  return all.flatMap((a) => all.flatMap((b) => (a === b ? [] : [inARow(JSON.stringify(a + b), a + b), nested(a, b)])));
}

/** Repeats what may come in long runs after one mark and before another. */
export function runFamilies(syntax: Syntax): Family[] {
  const units = [',', ' ', '7', '\\', '"', ':'];
  return marks[syntax].flatMap((mark) =>
    units.flatMap((unit) => ['', 'b', ')'].map((last) => between(mark, unit, last))),
  );
}
