import { fork } from 'node:child_process';
import { usage } from './processes.mjs';

/**
 * Loads one engine in a Node process of its own, for at most `count` inputs. Its calls throw the engine's errors.
 * `program`: nodeProcess.mjs, built.
 * @returns {Promise<import('./run.mjs').Session>}
 */
export async function openInNode(contender, { layers, count, adapter, onnxruntime }, program) {
  const { engine, backend, threads } = contender;
  const want = { engine, backend, threads, layers, count, adapter, onnxruntime };
  const child = fork(program, [JSON.stringify(want)], { silent: true, execArgv: ['--expose-gc'] });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const ended = new Promise((_, reject) => {
    child.on('exit', () => reject(new Error(/^\w*Error: .*$/m.exec(said)?.[0] ?? 'the process ended')));
  });
  ended.catch(() => {});
  const answer = () => new Promise((resolve) => child.once('message', resolve));
  function call(name, ...of) {
    const answered = answer();
    child.send({ name, of });
    return Promise.race([ended, answered]);
  }
  const { load, empty, description } = await Promise.race([ended, answer()]);
  return {
    load,
    adapter: description,
    empty,
    pass: (index, check) => call('pass', index, check),
    edit: (index) => call('edit', index),
    usage: () => usage([child.pid]),
    collectGarbage: () => call('collectGarbage'),
    async close() {
      child.kill();
    },
  };
}
