import { loadWith } from './tfjs.mjs';

export { prepare } from './tfjs.mjs';

function script(src) {
  const element = Object.assign(document.createElement('script'), { src });
  return new Promise((resolve, reject) => {
    element.onload = resolve;
    element.onerror = () => reject(new Error(`${src} did not load.`));
    document.head.append(element);
  });
}

export async function load(model, want) {
  // The published scripts are used, because the backend starts its threads from its own source text, which no bundler
  // may change.
  await script('/tfjs-core/tf-core.min.js');
  await script('/tfjs/tf-backend-wasm.min.js');
  const { tf } = window;
  tf.wasm.setWasmPaths('/tfjs/');
  tf.wasm.setThreadsCount(want.threads);
  return loadWith(tf, model, want);
}
