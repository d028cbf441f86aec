import { samplers } from '../../pictures/sampler.ts';
import { optionValues } from '../../road/options.ts';
import { NumberField } from '../page/NumberField.tsx';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import styles from './picture.module.css';
import { usePictures } from './usePictures.ts';

const mostSeed = 2 ** 31 - 8;
const samplerLabels = { flow: 'Euler, equal steps', ddim: 'DDIM, SD’s noise schedule' } as const;

/** Everything that can be set of a picture beside the prompt's own options. */
export function Controls() {
  const { firstSeed, sampler, guidance } = usePictures((s) => s.choices);
  const choose = usePictures((s) => s.choose);
  const steps = useFacts((s) => s.options.steps);
  const setOption = useFacts((s) => s.setOption);
  return (
    <>
      <div className={styles.controls}>
        <NumberField
          label="Seeds from"
          className={styles.number}
          least={0}
          most={mostSeed}
          value={firstSeed}
          onChange={(firstSeed) => choose({ firstSeed })}
        />
        <NumberField
          label="Steps"
          className={styles.number}
          {...optionValues.steps}
          value={steps}
          onChange={(count) => setOption('steps', count)}
        />
        <NumberField
          label="Guidance"
          className={styles.number}
          least={0}
          most={10}
          step={0.25}
          value={guidance}
          onChange={(guidance) => choose({ guidance })}
        />
        <Segmented
          legend="Sampler"
          name="picture-sampler"
          choices={samplers.map((value) => ({ value, label: samplerLabels[value] }))}
          value={sampler}
          onChange={(sampler) => choose({ sampler })}
        />
      </div>
      <p className="muted small">
        Otherwise than Stable Diffusion’s, this denoiser predicts the clean picture, not the noise, and works on pixels,
        not on latents; “{samplerLabels.flow}” goes from noise to picture at one pace.
      </p>
    </>
  );
}
