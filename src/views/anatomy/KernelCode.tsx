import { useMemo, useState } from 'react';
import type { Stage } from '../../clip/stages.ts';
import { isOnCpu } from '../../state/encoderStatus.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './anatomy.module.css';
import { assemblyScriptFiles, wgslFiles } from './kernelFiles.ts';

interface KernelCodeProps {
  readonly stage: Stage;
  /** The kernel that was timed; undefined where none was. */
  readonly chosen: string | undefined;
}

/** The code of a stage on the engine in use, folded. */
export function KernelCode({ stage, chosen }: KernelCodeProps) {
  const isCpu = useFacts(isOnCpu);
  const files = useMemo(() => (isCpu ? assemblyScriptFiles : wgslFiles)(stage), [isCpu, stage]);
  const [picked, setPicked] = useState<string | null>(null);
  const { name, source, readsWeights } =
    files.find((file) => file.name === picked) ?? files.find((file) => file.name === chosen) ?? files[0];
  const language = isCpu ? 'AssemblyScript' : 'WGSL';
  return (
    <details className={styles.code}>
      <summary>
        {language}: <code>{name}</code>
        {chosen === name && <span className="muted"> the kernel that was timed on this device</span>}
      </summary>
      {files.length > 1 && (
        <div className="field inline">
          <label htmlFor="anatomy-kernel">{isCpu ? 'File' : 'Kernel'}</label>
          <select id="anatomy-kernel" value={name} onChange={(event) => setPicked(event.target.value)}>
            {files.map((file) => (
              <option key={file.name} value={file.name}>
                {file.name}
              </option>
            ))}
          </select>
        </div>
      )}
      {readsWeights && (
        <p className="small muted">
          Before it goes the function that reads four weights as they are stored: weights_f32, weights_f16 or
          weights_bf16.wgsl.
        </p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
      <section className={styles.source} tabIndex={0} aria-label={`${language} of ${name}`}>
        <pre>{source.trim()}</pre>
      </section>
    </details>
  );
}
