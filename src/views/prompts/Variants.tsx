import { useMemo } from 'react';
import type { DynamicPrompt } from '../../prompt/comfy/dynamicPrompt.ts';
import { variantTexts } from '../../prompt/comfy/variantTexts.ts';
import type { Side } from '../../prompt/side.ts';
import { mostVariants, optionValues } from '../../road/options.ts';
import { useFacts } from '../page/useFacts.ts';
import { Count } from './Options.tsx';
import styles from './prompts.module.css';
import { differences } from './stretches.ts';

const names = { positive: 'positiveVariant', negative: 'negativeVariant' } as const;

interface VariantsProps {
  readonly side: Side;
  readonly dynamic: DynamicPrompt;
}

/** Shows how ComfyUI's page chooses in the prompt on show: by which seed, or which variant was picked. */
export function Variants({ side, dynamic: { open, text } }: VariantsProps) {
  const name = names[side];
  const picked = useFacts((s) => (s.options[name] <= open.variants ? s.options[name] : 0));
  const seed = useFacts((s) => s.options.choiceSeed);
  const setOption = useFacts((s) => s.setOption);
  const texts = useMemo(() => variantTexts(open, mostVariants), [open]);
  const [seeded, ...shortened] = useMemo(() => differences([text.text, ...texts]), [text, texts]);
  const chooseAnew = () => {
    setOption('choiceSeed', seed < optionValues.choiceSeed.most ? seed + 1 : 0);
    setOption(name, 0);
  };
  const left = open.variants - texts.length;
  return (
    <section className={styles.schedule} aria-label="Choice in {a|b}">
      <div className={styles.choice}>
        <Count
          name="choiceSeed"
          help="ComfyUI chooses by chance each time it queues a prompt. Here one seed always chooses the same, in both prompts, in links and in npm run encode."
        />
        <button type="button" className="small" onClick={chooseAnew}>
          Next seed
        </button>
      </div>
      <ol>
        <li aria-current={picked === 0 || undefined}>
          <button type="button" className="quiet small" onClick={() => setOption(name, 0)}>
            Seed {seed}
          </button>
          <span>{picked === 0 ? seeded || '(empty)' : 'chooses'}</span>
        </li>
        {texts.map((variant, i) => (
          <li key={i} aria-current={picked === i + 1 || undefined}>
            <button type="button" className="quiet small" onClick={() => setOption(name, i + 1)}>
              Variant {i + 1}
            </button>
            <span title={variant.length > 1000 ? undefined : variant.trim()}>{shortened[i] || '(empty)'}</span>
          </li>
        ))}
        {left > 0 && <li className="muted">{leftText(left)}</li>}
      </ol>
    </section>
  );
}

/** Says how many more there are. From 2⁵³ on the number is not exact. */
function leftText(left: number): string {
  if (left <= Number.MAX_SAFE_INTEGER) return `and ${left.toLocaleString('en')} more, which only seeds reach`;
  return 'and more than 9,007,199,254,740,991 more, which only seeds reach';
}
