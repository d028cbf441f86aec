import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const rows = readFileSync('README.md', 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

/** The files that a path means whose name may have one star in it, which stands for anything; at least one. */
function filesOf(path: string): string[] {
  const [start, end] = basename(path).split('*');
  if (end === undefined) return [path];
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(start) && name.endsWith(end));
  expect(names, path).not.toHaveLength(0);
  return names.map((name) => join(dirname(path), name));
}

/** The equations a text names: "eq. 30–35", "(eq. 10, 55–57)". */
function equationsIn(text: string): Set<number> {
  const found = new Set<number>();
  for (const [, list] of text.matchAll(/eq\. ?(\(?\d+\)?(?:(?:, | to |–| and )\(?\d+\)?)*)/gi))
    for (const [, from, to] of list.matchAll(/\(?(\d+)\)?(?:(?:–| to )\(?(\d+)\)?)?/g))
      for (let n = Number(from); n <= Number(to ?? from); n++) found.add(n);
  return found;
}

test('README maps the equations', () => expect(rows).toHaveLength(7));

test.each(rows)('|%s|eq. %s: %s is where README says', (_, equations, _what, typescript, wgsl, picture) => {
  const [from, to = from] = equations.split('–').map(Number);
  const [file, ...functions] = quoted(typescript);
  const source = readFileSync(file, 'utf8');
  for (const name of functions) expect(source).toMatch(new RegExp(`export function ${name}\\(`));
  for (const path of [file, ...quoted(wgsl).flatMap(filesOf)]) {
    const named = equationsIn(readFileSync(path, 'utf8'));
    for (let n = from; n <= to; n++) expect(named, `${path} names eq. ${n}`).toContain(n);
  }
  for (const path of quoted(picture)) expect(existsSync(path), path).toBe(true);
});
