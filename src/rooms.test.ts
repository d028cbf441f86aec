import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const rooms = ['prompt', 'tokens', 'files', 'clip', 'models', 'weighting', 'road', 'gpu', 'worker', 'state', 'views'];
const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f));

test.each(files)('%s imports only leftwards', (file) => {
  const room = rooms.indexOf(file.split('/')[0]);
  const test = file.endsWith('.test.ts') || file.includes('/testing/');
  for (const [, from] of readFileSync(join('src', file), 'utf8').matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
    if (from.startsWith('.')) {
      const target = join('src', file, '..', from).split('/')[1];
      if (room >= 0 && rooms.includes(target) && !test) expect(rooms.indexOf(target), from).toBeLessThanOrEqual(room);
    } else if (!test && room >= 0) {
      if (/^(react|zustand|d3-|@codemirror)/.test(from)) expect(['state', 'views'], from).toContain(rooms[room]);
      if (from === 'webgpu' || from.startsWith('node:')) expect(file, from).toBe('gpu/node.ts');
    }
  }
});
