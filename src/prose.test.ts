import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { expect, test } from 'vitest';

/** Words that a comment must not begin with: its first word is its subject or a verb. */
const openings = /^(Of|Those of|What|Where|As|The same|Such|Whose|In which)\b/i;

interface Comment {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Comments of WGSL and CSS, which have no literals that could hold the marks of one. */
function plainComments(source: string, marks: RegExp): Comment[] {
  return Array.from(source.matchAll(marks), ({ 0: whole, index }) => ({
    start: index,
    end: index + whole.length,
    text: whole.replace(/^\/[/*]|\*\/$/g, ''),
  }));
}

/** Comments of a file; comment lines that follow each other are one comment. */
function comments(file: string, source: string): Comment[] {
  if (file.endsWith('.css')) return plainComments(source, /\/\*[\s\S]*?\*\//g);
  const single = file.endsWith('.wgsl')
    ? plainComments(source, /\/\/.*|\/\*[\s\S]*?\*\//g)
    : parseSync(file, source).comments.map(({ start, end, value }) => ({ start, end, text: value }));
  const joined: Comment[] = [];
  for (const comment of single) {
    const last = joined.at(-1);
    const isLine = (start: number) => source.startsWith('//', start);
    const follows =
      last &&
      isLine(last.start) &&
      isLine(comment.start) &&
      /^\r?\n[ \t]*$/.test(source.slice(last.end, comment.start));
    if (follows) joined[joined.length - 1] = { ...last, end: comment.end, text: `${last.text}\n${comment.text}` };
    else joined.push(comment);
  }
  return joined;
}

/** First lines of the comments that begin with a word they must not begin with. */
function wrongOpenings(file: string, source: string): string[] {
  return comments(file, source)
    .map(({ text }) => text.replace(/^[\s*]+/, ''))
    .filter((text) => openings.test(text))
    .map((text) => text.split('\n')[0]);
}

const files = ['src', 'shaders', 'e2e', 'scripts'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(tsx?|mjs|wgsl|css)$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name)),
);

test('comments are told from literals, and lines of one comment from comments', () => {
  const script = [
    '// What begins wrongly',
    '// Of this line is the second of one comment',
    `const text = \`\${/* Of a hole */ 1} // Where a literal\` + '// What a string' + /[/*] Of/.source;`,
    '/** As a docstring. */',
    '/** Names, of things. */',
    '/**\n * Such as\n * Where\n */',
    'const view = <p>{/* Whose child */}// What a text</p>;',
  ].join('\n');
  expect(wrongOpenings('a.tsx', script)).toEqual([
    'What begins wrongly',
    'Of a hole ',
    'As a docstring. ',
    'Such as',
    'Whose child ',
  ]);
  expect(wrongOpenings('a.wgsl', 'let a = 1; // the same\n\n// In which\n\n// Off')).toEqual(['the same', 'In which']);
  expect(wrongOpenings('a.css', 'a { /* Those of b */ background: url(https://of.c) } /* Widths */')).toEqual([
    'Those of b ',
  ]);
});

test.each(files)('%s begins its comments with their subject or a verb', (file) => {
  expect(wrongOpenings(file, readFileSync(file, 'utf8'))).toEqual([]);
});
