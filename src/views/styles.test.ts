import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const views = import.meta.dirname;
const files = readdirSync(views, { recursive: true, encoding: 'utf8' }).map((name) => join(views, name));
const sheets = files.filter((path) => path.endsWith('.css'));
const components = files.filter((path) => path.endsWith('.tsx'));
const textOf = (path: string) => readFileSync(path, 'utf8').replace(/\/\*.*?\*\//gs, '');

/** Classes that the selectors of a style sheet name. */
function classesOf(path: string): ReadonlySet<string> {
  // Shared classes are none of the sheet's own.
  const own = textOf(path).replace(/:global\([^)]*\)/g, '');
  const selectors = [...own.matchAll(/([^{};]+)\{/g)].map(([, text]) => text.trim());
  return new Set(
    selectors
      .filter((text) => !text.startsWith('@'))
      .flatMap((text) => [...text.matchAll(/\.([a-z][\w-]*)/gi)].map(([, name]) => name)),
  );
}

const camelCase = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The style sheets that a component imports: local name → path. */
function importsOf(path: string): ReadonlyMap<string, string> {
  const found = textOf(path).matchAll(/^import (\w+) from '([^']+\.module\.css)';$/gm);
  return new Map([...found].map(([, local, from]) => [local, join(dirname(path), from)]));
}

/** Classes that are taken from a sheet: `styles.name`, or all of them where `styles[kind]` chooses one. */
function usedOf(path: string, local: string, all: readonly string[]): readonly string[] {
  const text = textOf(path);
  if (new RegExp(`\\b${local}\\[`).test(text)) return all;
  return [...text.matchAll(new RegExp(`\\b${local}\\.(\\w+)`, 'g'))].map(([, name]) => name);
}

test('a component uses classes that its style sheets have, and a style sheet has none that nobody uses', () => {
  const unused = new Map(
    sheets
      .filter((path) => path.endsWith('.module.css'))
      .map((path) => [path, new Set([...classesOf(path)].map(camelCase))]),
  );
  const shared = new Set(
    ['base.css', 'editor.css'].flatMap((name) => [...classesOf(sheets.find((path) => path.endsWith(`/${name}`))!)]),
  );
  const unknown: string[] = [];
  for (const component of components) {
    for (const [local, path] of importsOf(component)) {
      expect(existsSync(path), path).toBe(true);
      const classes = [...classesOf(path)].map(camelCase);
      for (const name of usedOf(component, local, classes)) {
        if (!classes.includes(name)) unknown.push(`${component}: ${local}.${name}`);
        unused.get(path)?.delete(name);
      }
    }
    for (const [, text] of textOf(component).matchAll(/className="([^"]*)"/g))
      for (const name of text.split(' ')) if (!shared.has(name)) unknown.push(`${component}: “${name}”`);
  }
  expect(unknown.join('\n')).toBe('');
  expect([...unused].flatMap(([path, names]) => [...names].map((name) => `${path}: ${name}`))).toEqual([]);
});

test('sizes of type, radii and spaces come from the scales in base.css', () => {
  const odd = sheets.flatMap((path) =>
    [
      ...textOf(path).matchAll(
        /(?<![\w-])(font-size|[\w-]*radius|(?:row-|column-)?gap|(?:padding|margin)[\w-]*): ([^;]+);/g,
      ),
    ]
      .filter(([, property, value]) =>
        property === 'font-size'
          ? /\drem|\dpx/.test(value)
          : property.endsWith('radius')
            ? /px/.test(value)
            : /(?<!-)\b([2-9]|\d{2,})px/.test(value),
      )
      .map(([rule]) => `${path}: ${rule}`),
  );
  expect(odd.join('\n')).toBe('');
});

test('every style sheet is in a layer, except CodeMirror’s, whose own rules are in none', () => {
  const outside = sheets.filter(
    (path) =>
      !path.endsWith('/editor.css') &&
      !/^@layer base, parts, views;\s+@layer (base|parts|views) \{/.test(textOf(path).trim()),
  );
  expect(outside.join('\n')).toBe('');
});
