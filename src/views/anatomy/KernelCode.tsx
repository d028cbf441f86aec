import { useState } from 'react';
import type { Stage } from '../../clip/stages.ts';
import { type Kernel, type KernelName, kernels } from '../../gpu/kernels.ts';
import styles from './anatomy.module.css';

/** The kernels that can do a stage; a star stands for the variants of one. */
function variants({ shaders }: Stage): readonly KernelName[] {
  const kernel = shaders[shaders.length - 1];
  return (Object.keys(kernels) as KernelName[]).filter((name) =>
    kernel.endsWith('*') ? name.startsWith(kernel.slice(0, -1)) : name === kernel,
  );
}

interface KernelCodeProps {
  readonly stage: Stage;
  /** The one that was measured; undefined where none was. */
  readonly chosen: string | undefined;
}

/** A stage's WGSL, folded. */
export function KernelCode({ stage, chosen }: KernelCodeProps) {
  const names = variants(stage);
  const [picked, setPicked] = useState<KernelName | null>(null);
  const shown = names.find((name) => name === picked) ?? names.find((name) => name === chosen) ?? names[0];
  const { source, weights }: Kernel = kernels[shown];
  return (
    <details className={styles.code}>
      <summary>
        WGSL: <code>{shown}</code>
        {chosen === shown && <span className="muted"> the kernel that was timed on this device</span>}
      </summary>
      {names.length > 1 && (
        <div className="field inline">
          <label htmlFor="anatomy-kernel">Kernel</label>
          <select id="anatomy-kernel" value={shown} onChange={(event) => setPicked(event.target.value as KernelName)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
      )}
      {weights && (
        <p className="small muted">
          Before it goes the function that reads four weights as they are stored: weights_f32, weights_f16 or
          weights_bf16.wgsl.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
      <section className={styles.source} tabIndex={0} aria-label={`WGSL of ${shown}`}>
        <pre>{source.trim()}</pre>
      </section>
    </details>
  );
}
