import { readFileSync } from 'node:fs';
import { createRandom } from '../models/seededRandom.ts';
import { createTokenizer } from '../tokens/tokenizer.ts';
import { judgePicture } from '../world/judge/judge.ts';
import { pictureLength, renderScene } from '../world/render.ts';
import { drawScene } from '../world/scene.ts';
import { judgeAccuracy, judgedThings } from '../world/testing/judgeAccuracy.ts';
import { batchDrawer, createBatch, pictureOf } from '../world/worldBatch.ts';

/** Runs a second of it, after a warm-up, and prints how often it ran. */
function rate(what: string, each: number, run: () => void): void {
  for (let i = 0; i < 3; i++) run();
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < 1000) {
    run();
    count += each;
  }
  console.log(`${what.padEnd(44)}${((1000 * count) / (performance.now() - start)).toFixed(0).padStart(8)} a second`);
}

/** Speed of the small world on one thread, and how often its judge is right. The argument is a number of scenes (2000). */
export function main([scenes = '2000']: string[]): void {
  const random = createRandom(1);
  const drawn = Array.from({ length: 256 }, () => drawScene(random));
  const pictures = new Float32Array(256 * pictureLength);
  rate('scenes drawn', 1, () => drawScene(random));
  rate('scenes rendered', 256, () => {
    drawn.forEach((scene, i) => {
      renderScene(scene, pictures, i * pictureLength);
    });
  });
  const fill = batchDrawer(createTokenizer(readFileSync('public/clip-merges.txt', 'utf8')));
  const batch = createBatch(64);
  rate('batches of 64: scenes, captions, ids, pictures', 64, () => fill(batch, random));
  let i = 0;
  rate('pictures judged', 1, () => judgePicture(pictureOf(batch, i++ % batch.size)));

  const conditions = {
    clean: { blur: 0, noise: 0 },
    'blur 0.2': { blur: 0.2, noise: 0 },
    '+ noise 0.06': { blur: 0.2, noise: 0.06 },
    'blur 0.3, 0.08': { blur: 0.3, noise: 0.08 },
  };
  const columns = Object.values(conditions).map((roughness) => judgeAccuracy(Number(scenes), roughness, 7));
  const line = (name: string, cells: readonly string[]) =>
    console.log(name.padEnd(26) + cells.map((cell) => cell.padStart(16)).join(''));
  console.log(`\nright of ${scenes} scenes`);
  line('', Object.keys(conditions));
  for (const thing of judgedThings)
    line(
      thing,
      columns.map((column) => column[thing].toFixed(4)),
    );
}
