import { once } from 'node:events';
import { endWhenInterrupted } from '../interruption.ts';
import { writeWholeFile } from '../wholeFile.ts';

/** Writes the first half of a file, says so, and goes on when a line comes in: as `main` of a process of its own. */
export async function main([path]: readonly string[]): Promise<number> {
  const endWatch = endWhenInterrupted(() => `Stopped: "${path}" was not written.`);
  async function* halves() {
    yield new Uint8Array(1000).fill(1);
    console.log('half');
    await once(process.stdin, 'data');
    yield new Uint8Array(1000).fill(2);
  }
  await writeWholeFile(path, halves());
  endWatch();
  process.stdin.destroy();
  return 0;
}
