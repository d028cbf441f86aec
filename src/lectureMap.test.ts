import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const rows = readFileSync('README.md', 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

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
  for (const path of [file, ...quoted(wgsl)]) {
    const named = equationsIn(readFileSync(path, 'utf8'));
    for (let n = from; n <= to; n++) expect(named, `${path} names eq. ${n}`).toContain(n);
  }
  for (const path of quoted(picture)) expect(existsSync(path), path).toBe(true);
});
