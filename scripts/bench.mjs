// Times training (`npm run bench -- train`), the built page (`page`), the reading of prompts (`prompts`), or what else of the encoders and
// the denoiser is named; without arguments prompts, encoders and denoiser.
import { spawnSync } from 'node:child_process';

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const [part, ...args] = process.argv.slice(2);
if (part === 'train') run('scripts/run.mjs', 'src/cli/trainBench.ts', ...args);
else if (part === 'page') run('scripts/run.mjs', 'e2e/bench/page.mjs', ...args);
else {
  const space = ['--min-semi-space-size=256', '--max-semi-space-size=256'];
  if (part === undefined || part === 'prompts')
    run('--expose-gc', ...space, 'scripts/run.mjs', 'src/cli/benchPrompts.ts', ...args);
  if (part !== 'prompts') run('scripts/run.mjs', 'src/cli/bench.ts', ...process.argv.slice(2));
}
