import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const rooms = [
  'prompt',
  'tokens',
  'files',
  'clip',
  'models',
  'weighting',
  'road',
  'analyses',
  'world',
  'engine',
  'gpu',
  'cpu',
  'training',
  'pictures',
  'worker',
  'state',
  'views',
];
const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f));

const isTest = (file: string) => file.endsWith('.test.ts') || file.includes('/testing/');

/** Lists the modules that a file imports, those of types and those that are loaded later included, as they are written. */
function importsOf(file: string): string[] {
  const text = readFileSync(join('src', file), 'utf8');
  return Array.from(text.matchAll(/(?:from|import\()\s*'([^']+)'/g), ([, from]) => from);
}

test.each(files)('%s imports only leftwards', (file) => {
  const room = rooms.indexOf(file.split('/')[0]);
  for (const from of importsOf(file)) {
    if (from.startsWith('.')) {
      const target = join('src', file, '..', from).split('/')[1];
      if (room >= 0 && rooms.includes(target) && !isTest(file))
        expect(rooms.indexOf(target), from).toBeLessThanOrEqual(room);
    } else if (!isTest(file) && room >= 0) {
      if (/^(react|zustand|d3-|@codemirror)/.test(from)) expect(['state', 'views'], from).toContain(rooms[room]);
      if (from === 'webgpu' || from.startsWith('node:'))
        expect(['gpu/node.ts', 'cpu/nodeThreads.ts'], from).toContain(file);
    }
  }
});

/** Finds a circle of imports by depth-first search: its files in order, the first of them again at the end; null if there is none. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const path: string[] = [];
  const search = (file: string): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    path.push(file);
    for (const imported of graph.get(file) ?? []) {
      const circle = search(imported);
      if (circle) return circle;
    }
    path.pop();
    done.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const circle = search(file);
    if (circle) return circle;
  }
  return null;
}

test('the search finds a circle, and nothing where two ways lead to one file', () => {
  const tree = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
    ['d', []],
  ]);
  expect(circleIn(tree)).toBeNull();
  expect(circleIn(new Map([...tree, ['d', ['e']], ['e', ['c']]]))).toEqual(['d', 'e', 'c', 'd']);
  expect(circleIn(new Map([['a', ['a']]]))).toEqual(['a', 'a']);
});

test('no file imports itself by way of others', () => {
  const graph = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((from) => from.startsWith('.'))
        .map((from) => join(file, '..', from)),
    ]),
  );
  expect(circleIn(graph)).toBeNull();
});

test('no two files have one name', () => {
  // Kernels of the GPU and of the CPU that compute the same have one name.
  const named = files.filter((file) => !file.includes('.test.') && !file.startsWith('cpu/kernels'));
  const names = named.map((file) => file.split('/').at(-1));
  expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
});
