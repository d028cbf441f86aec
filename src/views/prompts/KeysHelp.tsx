import { weightSteps } from '../../state/remembered.ts';
import { Segmented } from '../page/Segmented.tsx';
import { useFacts } from '../page/useFacts.ts';
import styles from './prompts.module.css';

const isMac = /^(Mac|iP)/.test(navigator.platform);
const mod = isMac ? '⌘' : 'Ctrl';
const alt = isMac ? '⌥' : 'Alt';

const keys: readonly (readonly [keys: readonly string[], what: string])[] = [
  [[`${mod} ↑`, `${mod} ↓`], 'Weight of the selection, or of the brackets or word at the caret. At 1 the brackets go.'],
  [[`${alt} ←`, `${alt} →`], 'Move the item between commas. Brackets stay whole.'],
  [[`${mod} Z`, isMac ? '⇧ ⌘ Z' : `${mod} Y`], 'Undo, redo.'],
  [['F8'], 'To the next message about the prompt.'],
  [['Tab'], 'Leave the prompt.'],
];

/** Lists the keys of the prompt editors, and lets the person choose the step of weights. */
export function KeysHelp() {
  const weightStep = useFacts((s) => s.weightStep);
  const setWeightStep = useFacts((s) => s.setWeightStep);
  return (
    <div className={styles.keysHelp}>
      <dl>
        {keys.map(([names, what]) => (
          <div key={what}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Segmented
        legend="Weight step"
        name="weight-step"
        choices={weightSteps.map((step) => ({ value: step, label: step }))}
        value={weightStep}
        onChange={setWeightStep}
      />
    </div>
  );
}
