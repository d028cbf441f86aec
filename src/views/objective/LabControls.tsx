import { useId } from 'react';
import { exp } from '../../models/elementary.ts';
import { type ShownObjective, temperatureWish } from '../../state/lab/labNumbers.ts';
import { batchSizes, learningRates, leastTemperature, mostTemperature } from '../../state/lab/labSettings.ts';
import { shownLogScale } from '../../state/lab/labStore.ts';
import { NumberField } from '../page/NumberField.tsx';
import { brief } from '../page/numbers.ts';
import { Segmented } from '../page/Segmented.tsx';
import styles from './objective.module.css';
import { useLab } from './useLab.ts';

/** Everything that can be set. */
export function LabControls({ shown }: { readonly shown: ShownObjective | null }) {
  return (
    <section className={styles.controls} aria-label="Settings">
      <Temperature shown={shown} />
      <Knobs />
      <RunSettings />
      <Experiments />
    </section>
  );
}

/** The buttons that run it. */
export function Transport() {
  const isPlaying = useLab((s) => s.isPlaying);
  const isSlow = useLab((s) => s.settings.isSlow);
  const { play, pause, step, reset, change } = useLab((s) => s);
  return (
    <div className="toolbar">
      <button type="button" className="primary" onClick={isPlaying ? pause : play}>
        {isPlaying ? 'Pause' : 'Play'}
      </button>
      <button type="button" onClick={() => void step()}>
        Step
      </button>
      <button type="button" onClick={reset}>
        Reset
      </button>
      <label className="check">
        <input type="checkbox" checked={isSlow} onChange={(event) => change({ isSlow: event.target.checked })} />
        Slow motion
      </label>
    </div>
  );
}

/** Settings that begin a new run. */
function RunSettings() {
  const { seed, batch, objective, captions, from } = useLab((s) => s.settings);
  const change = useLab((s) => s.change);
  const pause = useLab((s) => s.pause);
  const ids = { batch: useId(), captions: useId() };
  return (
    <div className={styles.settings}>
      <Segmented
        legend="Start"
        name="lab-from"
        choices={
          [
            { value: 'scratch', label: 'from scratch' },
            { value: 'shipped', label: 'from the shipped model' },
          ] as const
        }
        value={from}
        onChange={(from) => {
          // A trained model is looked at first.
          if (from === 'shipped') pause();
          change({ from });
        }}
      />
      <Segmented
        legend="Loss"
        name="lab-objective"
        choices={
          [
            { value: 'clip', label: 'Softmax' },
            { value: 'siglip', label: 'Sigmoid' },
          ] as const
        }
        value={objective}
        onChange={(objective) => change({ objective })}
      />
      <div className="field inline">
        <label htmlFor={ids.batch}>Pairs in a batch (N)</label>
        <select id={ids.batch} value={batch} onChange={(event) => change({ batch: Number(event.target.value) })}>
          {batchSizes.map((size) => (
            <option key={size}>{size}</option>
          ))}
        </select>
      </div>
      <NumberField
        label="Seed"
        className={styles.seed}
        least={0}
        most={2 ** 31 - 1}
        value={seed}
        onChange={(seed) => change({ seed })}
      />
      <div className="field inline">
        <label htmlFor={ids.captions}>Captions</label>
        <select
          id={ids.captions}
          value={captions}
          onChange={(event) => change({ captions: event.target.value as typeof captions })}
        >
          <option value="brief">colours, shapes, relation</option>
          <option value="training">in any words</option>
        </select>
      </div>
    </div>
  );
}

/** Settings that may change while it runs. */
function Knobs() {
  const { learningRate, side } = useLab((s) => s.settings);
  const change = useLab((s) => s.change);
  const id = useId();
  const rates = [...new Set([...learningRates, learningRate])].sort((a, b) => a - b);
  return (
    <div className={styles.settings}>
      <Segmented
        legend="Learns"
        name="lab-side"
        choices={
          [
            { value: 'both', label: 'both' },
            { value: 'text', label: 'text tower' },
            { value: 'image', label: 'image tower' },
          ] as const
        }
        value={side}
        onChange={(side) => change({ side })}
      />
      <div className="field inline">
        <label htmlFor={id}>Learning rate</label>
        <select id={id} value={learningRate} onChange={(event) => change({ learningRate: Number(event.target.value) })}>
          {rates.map((rate) => (
            <option key={rate} value={rate}>
              {rate}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

/** Steps of the slider from τ = 0.01 to τ = 1, by equal factors. */
const notches = 100;
const temperatureAt = (notch: number) =>
  Number((leastTemperature * (mostTemperature / leastTemperature) ** (notch / notches)).toPrecision(3));
const notchOf = (temperature: number) =>
  Math.round((notches * Math.log(temperature / leastTemperature)) / Math.log(mostTemperature / leastTemperature));

export function Temperature({ shown }: { readonly shown: ShownObjective | null }) {
  const temperature = useLab((s) => s.settings.temperature);
  const tau = useLab((s) => 1 / exp(shownLogScale(s)));
  const change = useLab((s) => s.change);
  const id = useId();
  const mode = typeof temperature === 'number' ? ('hand' as const) : temperature;
  return (
    <div className={styles.settings}>
      <Segmented
        legend="Temperature τ"
        name="lab-temperature"
        choices={
          [
            { value: 'learned', label: 'learned' },
            { value: 'frozen', label: 'frozen' },
            { value: 'hand', label: 'by hand' },
          ] as const
        }
        value={mode}
        onChange={(chosen) => change({ temperature: chosen === 'hand' ? temperatureAt(notchOf(tau)) : chosen })}
      />
      <div className={styles.temperature} data-part="temperature">
        <label htmlFor={id}>τ</label>
        <input
          id={id}
          type="range"
          min={0}
          max={notches}
          value={notchOf(tau)}
          disabled={!shown}
          aria-valuetext={brief(tau)}
          onChange={(event) => change({ temperature: temperatureAt(event.target.valueAsNumber) })}
        />
        <output htmlFor={id}>
          {tau.toPrecision(3)}
          <span className="muted"> · 1/τ {(1 / tau).toFixed(1)}</span>
        </output>
      </div>
      {shown && (
        <p className={styles.wish}>
          ∂L/∂τ = {String(Number(shown.dTemperature.toPrecision(2))).replace('-', '−')}: {temperatureWish(shown)}.
        </p>
      )}
    </div>
  );
}

/** Pairs that each run of a comparison sees. */
const comparedPairs = 9600;

function Experiments() {
  const experiment = useLab((s) => s.experiment);
  const compare = useLab((s) => s.compare);
  return (
    <div className="toolbar">
      <span className="muted small">Compare at {comparedPairs.toLocaleString('en')} pairs each:</span>
      <button
        type="button"
        className="small"
        onClick={() => compare({ left: [8, 32, 128].map((batch) => ({ batch })), pairs: comparedPairs })}
      >
        N = 8, 32, 128
      </button>
      <button
        type="button"
        className="small"
        onClick={() => compare({ left: [{ objective: 'siglip' }, { objective: 'clip' }], pairs: comparedPairs })}
      >
        Sigmoid, then softmax
      </button>
      {experiment && <span className="muted small">{experiment.left.length} more after this run</span>}
    </div>
  );
}
