import { useMemo, useState } from 'react';
import type { Stage } from '../../clip/stages.ts';
import { isOnCpu } from '../../state/encoderStatus.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './anatomy.module.css';
import { assemblyScriptFiles, wgslFiles } from './kernelFiles.ts';

interface KernelCodeProps {
  readonly stage: Stage;
  /** The tensor on show: a file that bears its name is shown first. */
  readonly tensor: string;
  /** The kernel that was timed; undefined where none was. */
  readonly chosen: string | undefined;
}

/** The code of a stage on the engine in use, folded. */
export function KernelCode({ stage, tensor, chosen }: KernelCodeProps) {
  const isCpu = useFacts(isOnCpu);
  const files = useMemo(() => (isCpu ? assemblyScriptFiles : wgslFiles)(stage), [isCpu, stage]);
  const [picked, setPicked] = useState({ tensor, name: '' });
  const named = (wanted: string | undefined) => files.find((file) => file.name === wanted);
  const pickedHere = picked.tensor === tensor ? named(picked.name) : undefined;
  const { name, source, readsWeights } = pickedHere ?? named(tensor) ?? named(chosen) ?? files[0];
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
          <select
            id="anatomy-kernel"
            value={name}
            onChange={(event) => setPicked({ tensor, name: event.target.value })}
          >
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
