import { type MaskMode, maskModes } from '../clip/masks.ts';
import { type TokenizerFlavour, tokenizerFlavours } from '../clip/tokenizer.ts';
import { type WeightingMethod, weightingMethods } from '../weighting/pipeline.ts';
import { useFacts } from './useFacts.ts';

interface Choice {
  readonly name: string;
  /** Who does this, and what it means. */
  readonly help: string;
}

const masks: Record<MaskMode, Choice> = {
  causal: {
    name: 'Causal only',
    help: 'A1111, ComfyUI, diffusers and CompVis for SD 1.5: PAD tokens are seen like any other.',
  },
  hf: {
    name: 'Causal × attention_mask',
    help: 'transformers, when given the tokenizer’s attention_mask: PAD is hidden, the prompt’s EOS is not.',
  },
  lecture: {
    name: 'Causal × MaskPAD',
    help: 'As textbooks write it: every id 49407 is hidden. PAD is EOS, so the prompt’s own EOS goes too.',
  },
  none: {
    name: 'No mask',
    help: 'No program runs this: every token sees those after it. For comparison.',
  },
};

const weightings: Record<WeightingMethod, Choice> = {
  original: {
    name: 'Original',
    help: 'A1111’s default: z′ = w·z, then scaled so that the mean over the chunk is as before.',
  },
  scale: { name: 'No norm', help: 'A1111 “No norm”: z′ = w·z.' },
  none: { name: 'Ignore', help: 'A1111 “Ignore”: weights are read but not applied.' },
};

const tokenizers: Record<TokenizerFlavour, Choice> = {
  'hf-slow-ftfy': {
    name: 'HF slow + ftfy',
    help: 'A1111, and diffusers with ftfy installed (mojibake is not repaired here).',
  },
  'hf-slow': { name: 'HF slow', help: 'diffusers on transformers 4 without ftfy.' },
  'hf-fast': { name: 'HF fast', help: 'transformers 4, CLIPTokenizerFast.' },
  'hf-v5': { name: 'HF v5', help: 'transformers 5, as diffusers and Compel use it there.' },
  openai: { name: 'openai/CLIP', help: 'simple_tokenizer.py of the original CLIP.' },
};

export function Options() {
  const options = useFacts((s) => s.options);
  const setOption = useFacts((s) => s.setOption);
  return (
    <section className="panel" id="options" aria-labelledby="options-title">
      <h2 id="options-title">Options</h2>
      <div className="settings">
        <Setting
          label="Mask"
          values={maskModes}
          choices={masks}
          value={options.mask}
          onChange={(mask) => setOption('mask', mask)}
        />
        <Setting
          label="Weighting"
          values={weightingMethods}
          choices={weightings}
          value={options.weighting}
          onChange={(weighting) => setOption('weighting', weighting)}
        />
        <Setting
          label="Tokenizer"
          values={tokenizerFlavours}
          choices={tokenizers}
          value={options.tokenizer}
          onChange={(tokenizer) => setOption('tokenizer', tokenizer)}
        />
      </div>
    </section>
  );
}

interface SettingProps<T extends string> {
  readonly label: string;
  readonly values: readonly T[];
  readonly choices: Record<T, Choice>;
  readonly value: T;
  onChange(value: T): void;
}

function Setting<T extends string>({ label, values, choices, value, onChange }: SettingProps<T>) {
  const id = label.toLowerCase();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-help`}
        onChange={(event) => onChange(event.target.value as T)}
      >
        {values.map((choice) => (
          <option key={choice} value={choice}>
            {choices[choice].name}
          </option>
        ))}
      </select>
      <p id={`${id}-help`} className="help">
        {choices[value].help}
      </p>
    </div>
  );
}
