import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { modelOrigins } from './models/library/modelSources.ts';

/** Reads the lines `name: value` of YAML that are indented by so many spaces. */
function fields(yaml: string, indent: number): Map<string, string> {
  const lines = yaml.matchAll(/^( *)(?:- )?([\w-]+): *(.*)$/gm);
  return new Map([...lines].filter(([, spaces]) => spaces.length === indent).map(([, , name, value]) => [name, value]));
}

test('the workflow runs what the package has, on files that are there or that the build writes', () => {
  const workflow = readFileSync('.github/workflows/pages.yml', 'utf8');
  const scripts = Array.from(workflow.matchAll(/npm run ([\w:-]+)/g), ([, name]) => name);
  expect(scripts).toEqual(['check', 'build', 'test:unit']);
  for (const name of scripts) expect(packageJson.scripts).toHaveProperty([name]);
  const paths = Array.from(workflow.matchAll(/^ +(?:path|sparse-checkout): (.+)$/gm), ([, path]) => path);
  for (const path of paths)
    expect(['dist', 'clipscope-offline.zip'].includes(path) || existsSync(path), path).toBe(true);
  const [, from] = /run: cp (\S+) dist\//.exec(workflow)!;
  expect(existsSync(from)).toBe(true);
  // Every job that another needs is there.
  const jobs = fields(workflow.slice(workflow.indexOf('\njobs:')), 2);
  for (const [, needed] of workflow.matchAll(/^ +needs: (\w+)$/gm)) expect([...jobs.keys()]).toContain(needed);
  // A job has the permissions that it names and no others; Pages asks for two.
  const [, pages] = /^ {2}pages:\n([\s\S]*?)(?=^ {2}\w|$(?![\s\S]))/m.exec(workflow)!;
  expect([...fields(pages, 6)].slice(0, 2)).toEqual([
    ['pages', 'write'],
    ['id-token', 'write'],
  ]);
  // A job fetches what another has put by.
  const artifacts = (action: string) =>
    Array.from(
      workflow.matchAll(new RegExp(`actions/${action}-artifact@.*\n +with:\n +name: (.+)`, 'g')),
      ([, name]) => name,
    );
  expect(artifacts('download')).toEqual(['dist']);
  expect(artifacts('upload')).toEqual(expect.arrayContaining(artifacts('download')));
  const node = Number(/node-version: (\d+)/.exec(workflow)![1]);
  expect(node).toBeGreaterThanOrEqual(Number(/\d+/.exec(packageJson.engines.node)![0]));
});

test('the Space is static, begins with the page, and its front matter has what the hub asks for', () => {
  const [, frontMatter] = /^---\n([\s\S]*?)\n---\n/.exec(readFileSync('.github/space/README.md', 'utf8'))!;
  const space = fields(frontMatter, 0);
  expect(space.get('sdk')).toBe('static');
  expect(existsSync(space.get('app_file')!)).toBe(true);
  expect(space.get('license')).toBe(packageJson.license.toLowerCase());
  expect([...'🔬'].length).toBe([...space.get('emoji')!].length);
  // The hub's own bound.
  expect(space.get('short_description')!.length).toBeLessThanOrEqual(60);
  const colours = ['red', 'yellow', 'green', 'blue', 'indigo', 'purple', 'pink', 'gray'];
  expect(colours).toContain(space.get('colorFrom'));
  expect(colours).toContain(space.get('colorTo'));
});

test('the document names every origin that the page may connect to', () => {
  const document = readFileSync('docs/hosting.md', 'utf8');
  const named = Array.from(document.matchAll(/`(https:\/\/[^`]+)`/g), ([, origin]) => origin);
  expect(named).toEqual(modelOrigins);
});

test('each icon of the manifest is there', () => {
  const { icons, start_url, scope } = JSON.parse(readFileSync('public/manifest.webmanifest', 'utf8'));
  for (const { src } of icons) expect(existsSync(`public/${src}`), src).toBe(true);
  // Relative, so that any folder will do.
  expect([start_url, scope]).toEqual(['./', './']);
});

test('every worker of the page starts under the page’s policy', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
  const starters = files.filter(
    (name) => !/\.test\.|^package/.test(name) && readFileSync(`src/${name}`, 'utf8').includes('new Worker('),
  );
  // The threads of Node, and those of the package, whose page is somebody else's.
  const elsewhere = ['cli/partsThreads.ts', 'cpu/nodeThreads.ts', 'cpu/workerThreads.ts'];
  expect(starters.toSorted()).toEqual([...elsewhere, 'cpu/workerUnderPolicy.ts']);
});
