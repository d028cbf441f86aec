import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Writes a file so that its name never holds half of it: the bytes go to a temporary file beside it, which takes the name
 * when it is whole. Until then a file of that name stays; a link is followed, and the file's permissions are kept. The
 * temporary file is removed if the writing fails or the process exits. Throws errors of `node:fs`.
 */
export async function writeWholeFile(path: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  const target = await realpath(path).catch(() => path);
  const mode = (await stat(target).catch(() => undefined))?.mode;
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.part`);
  const remove = () => rmSync(temporary, { force: true });
  process.on('exit', remove);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      for await (const piece of pieces) await file.writeFile(piece);
      // The name must not reach the disk before the bytes do.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } finally {
    process.off('exit', remove);
    remove();
  }
}
