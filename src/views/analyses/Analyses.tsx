import { useState } from 'react';
import { analysisSubject } from '../../state/promptAnalyses.ts';
import { tokenizerOf } from '../../state/tokenLabels.ts';
import { useFacts } from '../page/useFacts.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { Ablation } from './Ablation.tsx';
import styles from './analyses.module.css';
import { BagOfWords } from './BagOfWords.tsx';
import { CompareStates, type KeptState } from './CompareStates.tsx';
import { Layers } from './Layers.tsx';
import { Leakage } from './Leakage.tsx';
import { Shares } from './Shares.tsx';
import { SinksAnalysis } from './SinksAnalysis.tsx';
import { UnetAnalysis } from './UnetAnalysis.tsx';
import { WordsAnalysis } from './WordsAnalysis.tsx';

const titles = {
  shares: 'Words, EOS, PAD',
  words: 'What each word does',
  leakage: 'Leakage',
  bag: 'Bag of words',
  layers: 'Layers',
  sinks: 'Sinks',
  compare: 'Compare A and B',
  ablation: 'Ablation',
  unet: 'What the U-Net receives',
} as const;
type Name = keyof typeof titles;
const names = Object.keys(titles) as Name[];

const lead =
  'Questions that people ask about the text encoder, answered for this prompt: what was found in one sentence, then the numbers, then what they do not say. Each is computed when it is opened and typing rests. C is the conditioning, all rows of the prompt; ‖ ‖ is the length of a row, and Δ how far it moved.';

/** Answers questions about the prompt on show, one at a time. */
export function Analyses() {
  const unet = useFacts((s) => s.unet);
  const [name, setName] = useState<Name>(unet ? 'unet' : 'shares');
  const [unetBefore, setUnetBefore] = useState(unet);
  // A U-Net that was dropped on the page is shown at once.
  if (unet !== unetBefore) {
    setUnetBefore(unet);
    if (unet) setName('unet');
  }
  return (
    <section className={`panel ${styles.analyses}`} id="analyses" aria-labelledby="analyses-title">
      <ViewHeader view="analyses" lead={lead} />
      <nav className={styles.menu} aria-label="Analyses">
        {names.map((id) => (
          <button key={id} type="button" className="small" aria-pressed={id === name} onClick={() => setName(id)}>
            {titles[id]}
          </button>
        ))}
      </nav>
      <Shown name={name} />
    </section>
  );
}

function Shown({ name }: { name: Name }) {
  const [kept, setKept] = useState<KeptState | null>(null);
  const subject = useFacts(analysisSubject);
  const tokenizer = useFacts(tokenizerOf);
  if (!tokenizer) return <p className="muted">Loading the vocabulary</p>;
  switch (name) {
    case 'shares':
      return <Shares subject={subject} />;
    case 'words':
      return <WordsAnalysis subject={subject} />;
    case 'leakage':
      return <Leakage subject={subject} />;
    case 'bag':
      return <BagOfWords subject={subject} tokenizer={tokenizer} />;
    case 'layers':
      return <Layers subject={subject} />;
    case 'sinks':
      return <SinksAnalysis subject={subject} />;
    case 'compare':
      return <CompareStates kept={kept} onKeep={setKept} />;
    case 'ablation':
      return <Ablation subject={subject} />;
    case 'unet':
      return <UnetAnalysis />;
    default:
      return name satisfies never;
  }
}
