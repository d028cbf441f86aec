import { useId } from 'react';
import { maskModes } from '../../clip/masks.ts';
import { comfyInputs, optionValues, type PromptOptions, wordContexts } from '../../road/options.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { comfyUnits } from '../../tokens/chunks/comfyChunks.ts';
import { tokenizerChoices } from '../../tokens/tokenizerFlavours.ts';
import { methodNames, methods } from '../../weighting/methods.ts';
import { tokenNormalisations } from '../../weighting/normalise.ts';
import { useTypedNumber } from '../page/NumberField.tsx';
import { useFacts } from '../page/useFacts.ts';
import {
  bracketChoices,
  type Choice,
  clsChoices,
  comfyInputChoices,
  comfyUnitChoices,
  contexts,
  masks,
  normalisations,
  optionLabels,
  splits,
  squareFactors,
  syntaxChoices,
  timelines,
  tokenizerChoicesIn,
  weightings,
} from './choices.ts';
import { Presets } from './OptionsInShort.tsx';
import styles from './prompts.module.css';

/**
 * Options in which the programs that run this encoder differ.
 */
export function Options() {
  const { syntax, weighting } = useFacts((s) => s.options);
  const layers = useFacts((s) => shownConfig(s).numHiddenLayers);
  return (
    <section className={styles.settingsPanel} id="options" aria-label="Options">
      <Presets />
      <ChoiceHelp choice={syntaxChoices[syntax]} />
      <div className={styles.settings}>
        <Choose name="weighting" values={methodNames} choices={weightings} />
        {methods[weighting].normalises && (
          <Choose name="normalisation" values={tokenNormalisations} choices={normalisations} />
        )}
        <Choose name="context" values={wordContexts} choices={contexts} />
        <Choose name="mask" values={maskModes} choices={masks} />
        <Choose name="tokenizer" values={tokenizerChoices} choices={tokenizerChoicesIn(syntax)} />
        <Count
          name="clipSkip"
          most={layers + 1}
          help="As A1111 counts: 1 is the last layer, which is no skip. Diffusers’ clip_skip is one less."
        />
        {syntax === 'a1111' && (
          <>
            <Choose name="brackets" values={optionValues.brackets} choices={bracketChoices} />
            <Choose name="squareFactor" values={optionValues.squareFactor} choices={squareFactors} />
            <Choose name="timeline" values={optionValues.timeline} choices={timelines} />
            <Count name="steps" help="Sampling steps, which schedules such as [a:b:0.5] count in." />
            <Count
              name="commaPaddingBacktrack"
              help="A full chunk is split at its last comma if that is no more tokens back than this. A1111’s default is 20; 0 never does."
            />
          </>
        )}
        {syntax === 'compel' && (
          <>
            <Choose name="split" values={optionValues.split} choices={splits} />
            <Choose name="clsTokens" values={optionValues.clsTokens} choices={clsChoices} />
          </>
        )}
        {syntax === 'comfy' && (
          <>
            <Choose name="comfyInput" values={comfyInputs} choices={comfyInputChoices} />
            <Choose name="comfyUnit" values={comfyUnits} choices={comfyUnitChoices} />
          </>
        )}
      </div>
    </section>
  );
}

type NameOf<T> = { [K in keyof PromptOptions]: PromptOptions[K] extends T ? K : never }[keyof PromptOptions];

interface ChooseProps<K extends NameOf<string>> {
  readonly name: K;
  readonly values: readonly PromptOptions[K][];
  readonly choices: Record<PromptOptions[K], Choice>;
}

function Choose<K extends NameOf<string>>({ name, values, choices }: ChooseProps<K>) {
  const value = useFacts((s) => s.options[name]);
  const setOption = useFacts((s) => s.setOption);
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{optionLabels[name]}</label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-help`}
        onChange={(event) => setOption(name, event.target.value as PromptOptions[K])}
      >
        {values.map((choice) => (
          <option key={choice} value={choice}>
            {choices[choice].name}
          </option>
        ))}
      </select>
      <p className="help" id={`${id}-help`}>
        {choices[value].help}
      </p>
    </div>
  );
}

interface CountProps {
  readonly name: 'clipSkip' | 'steps' | 'commaPaddingBacktrack' | 'choiceSeed';
  readonly most?: number;
  readonly help: string;
}

/** A field for a whole number, with its explanation. */
export function Count({ name, most = optionValues[name].most, help }: CountProps) {
  const value = useFacts((s) => s.options[name]);
  const setOption = useFacts((s) => s.setOption);
  const id = useId();
  const { refusal, input } = useTypedNumber({
    ...{ value: Math.min(value, most), least: optionValues[name].least, most },
    onChange: (count) => setOption(name, count),
  });
  return (
    <div className="field">
      <label htmlFor={id}>{optionLabels[name]}</label>
      <input id={id} {...input} aria-describedby={refusal ? `${id}-refused` : `${id}-help`} />
      {refusal && (
        <p className={`refusal ${styles.refused}`} id={`${id}-refused`} role="alert">
          {optionLabels[name]}: {refusal}
        </p>
      )}
      <p className="help" id={`${id}-help`}>
        {help}
      </p>
    </div>
  );
}

/** Explains a choice, for the panel that shows its effect. */
export function ChoiceHelp({ choice }: { choice: Choice }) {
  return (
    <p className="help">
      <b>{choice.name}.</b> {choice.help}
    </p>
  );
}
