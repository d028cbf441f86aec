import { type EngineName, engineNames } from '../../engine/engineChoice.ts';
import { isOnCpu } from '../../state/encoderStatus.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './encoder.module.css';

const labels: Record<EngineName, string> = { automatic: 'Automatic', webgpu: 'WebGPU', cpu: 'CPU' };

/** Chooses the engine that runs the encoder, and the threads of the CPU engine where that is in use. */
export function EngineControl() {
  const { engine, threads } = useFacts((s) => s.engineChoice);
  const isCpuUsed = useFacts(isOnCpu);
  const setEngine = useFacts((s) => s.setEngine);
  const cores = Math.max(1, navigator.hardwareConcurrency || 1);
  return (
    <div className={styles.engine}>
      <div className="field inline">
        <label htmlFor="engine">Engine</label>
        <select
          id="engine"
          value={engine}
          onChange={(event) => void setEngine({ engine: event.target.value as EngineName })}
        >
          {engineNames.map((name) => (
            <option key={name} value={name}>
              {labels[name]}
            </option>
          ))}
        </select>
      </div>
      {isCpuUsed && cores > 1 && (
        <div className="field inline">
          <label htmlFor="threads">Threads, at most</label>
          <select
            id="threads"
            value={Math.min(threads ?? cores, cores)}
            onChange={(event) => void setEngine({ threads: Number(event.target.value) })}
          >
            {Array.from({ length: cores }, (_, i) => (
              <option key={i} value={i + 1}>
                {i + 1}
              </option>
            ))}
          </select>
        </div>
      )}
    </div>
  );
}
