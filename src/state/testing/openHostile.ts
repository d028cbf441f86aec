import { openAsBlob, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { clipVitL14 } from '../../clip/config.ts';
import { blobSource } from '../../files/sources.ts';
import { loraEffects, openLora } from '../../models/loraFile.ts';
import { openCheckpoint } from '../../models/openCheckpoint.ts';
import { syntheticWeights } from '../../models/synthetic.ts';
import { readOpened } from '../openFile.ts';

/** Opens a file as the page does, whatever it is, and says what it is. */
async function open(path: string): Promise<string> {
  const file = new File([await openAsBlob(path)], basename(path));
  const opened = await readOpened(file);
  if (opened.kind === 'checkpoint') await openCheckpoint(blobSource(file));
  else if (opened.kind === 'lora') {
    const lora = await openLora(blobSource(file), { config: clipVitL14 });
    await loraEffects(lora, syntheticWeights(clipVitL14), { multiplier: 1 });
  }
  return opened.kind;
}

/** The most memory that the process has taken, in kibibytes. Linux counts that of the parent in `maxRSS`. */
function peak(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS;
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

// Prints the sentence or the kind that opening a file ends in, and the bytes of memory that it takes at most.
const before = peak();
const told = await open(process.argv[2]).catch((error: Error) => `${error.name}: ${error.message}`);
console.log(JSON.stringify({ told, bytes: (peak() - before) * 1024 }));
