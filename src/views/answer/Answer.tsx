import { useDeferredValue, useId, useMemo, useState } from 'react';
import { programs } from '../../prompt/syntax.ts';
import type { Lead, Sentence, SentenceKind } from '../../road/study/sentence.ts';
import { type Answered, type AnswerFacts, answeringPrompt, shownAnswer } from '../../state/answering.ts';
import { isBeingRead, isLong } from '../../state/reading.ts';
import { Announcement } from '../page/Announcement.tsx';
import { useFacts } from '../page/useFacts.ts';
import { useLast } from '../page/useLast.ts';
import { useSliced } from '../page/useSliced.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { pointed, tokenAt } from '../pictures/pointed.ts';
import { selectInPrompt } from '../prompts/promptHandles.ts';
import styles from './answer.module.css';

/** The questions, each with the kinds of sentences that answer it. */
const questions: readonly { readonly title: string; readonly kinds: readonly SentenceKind[] }[] = [
  { title: 'Your weights', kinds: ['weights', 'rest', 'attention'] },
  { title: 'What is encoded', kinds: ['chunks'] },
  { title: 'Other programs', kinds: ['programs'] },
  { title: 'Looks like a mistake', kinds: ['mistakes'] },
  { title: 'How far to trust it', kinds: ['model'] },
];

/** Prompts of more chunks are answered in slices: a hundred chunks take half a second. */
const mostAtOnce = 8;
const isAnswerLong = ({ prepared: { source, chunks } }: AnswerFacts) => isLong(source) || chunks.length > mostAtOnce;

const lead = (
  <>
    The prompt is cut into <dfn>tokens</dfn>, words or pieces of them, and read in <dfn>chunks</dfn>, between the marks
    BOS and EOS and filled up with PAD; the text encoder makes a row of numbers of each. These rows are the{' '}
    <dfn>conditioning</dfn>: all that the U-Net, which paints, learns of your prompt. A weight changes rows, and nothing
    else.
  </>
);

/** Says what the prompt on show does, in sentences that lead to where it can be seen. */
export function Answer() {
  const now = useFacts(shownAnswer);
  // Typed text shows at once; its answer may follow a frame later, or where it is long when it is found.
  const facts = useLast(useDeferredValue(now));
  const work = useMemo(() => (facts ? () => answeringPrompt(facts) : null), [facts]);
  const { value: answered, isStale } = useSliced(work, facts !== undefined && isAnswerLong(facts));
  const isLoading = useFacts((s) => s.tokenizer.phase === 'loading');
  const isReading = useFacts((s) => isBeingRead(s, s.side)) || facts !== undefined;
  return (
    <section className={`panel ${styles.answer}`} id="answer" aria-labelledby="answer-title" tabIndex={-1}>
      {answered ? (
        <Sentences answered={answered} stale={isStale || facts !== now} />
      ) : (
        <>
          <ViewHeader view="answer" lead={lead} />
          <p className="muted">
            {isLoading && 'Loading the vocabulary'}
            {!isLoading && (isReading ? 'Reading the prompt' : 'Waiting for the encoder.')}
          </p>
        </>
      )}
    </section>
  );
}

function Sentences({ answered: { facts, sentences }, stale }: { answered: Answered; stale: boolean }) {
  const { side, options, model, zOf } = facts;
  const ofModel = model?.random ? '; made-up weights' : model?.knownIds ? `; ${model.name}, not Stable Diffusion` : '';
  const provenance = `${side} prompt, read as ${programs[options.syntax]}’s${zOf ? ofModel : ''}`;
  const ofKinds = (kinds: readonly SentenceKind[]) => sentences.filter(({ kind }) => kinds.includes(kind));
  return (
    <>
      <ViewHeader view="answer" lead={lead}>
        <CopyText
          text={[`${facts.prepared.source} (${provenance})`, ...sentences.map(({ text }) => text)].join('\n')}
        />
      </ViewHeader>
      <div className={styles.questions} aria-busy={stale} data-stale={stale || undefined}>
        {questions.map(({ title, kinds }) => {
          const answers = ofKinds(kinds);
          return answers.length > 0 ? (
            <div key={title} className={styles.question} data-kind={kinds[0]}>
              <h3>{title}</h3>
              <ul>
                {answers.map((sentence, i) => (
                  <SentenceItem key={`${i} ${sentence.text}`} sentence={sentence} side={side} />
                ))}
              </ul>
            </div>
          ) : null;
        })}
      </div>
      <Announcement
        label="Answer in short"
        text={sentences
          .slice(0, 3)
          .map(({ text }) => text)
          .join(' ')}
      />
    </>
  );
}

function SentenceItem({ sentence: { text, lead }, side }: { sentence: Sentence; side: AnswerFacts['side'] }) {
  const id = useId();
  return (
    <li>
      <span id={id}>{text}</span> {lead && <ShowMe lead={lead} side={side} describedBy={id} />}
    </li>
  );
}

/** Leads to the view that shows what a sentence says, with the chunk and the token in it chosen, or to the place in the prompt. */
function ShowMe({ lead, side, describedBy }: { lead: Lead; side: AnswerFacts['side']; describedBy: string }) {
  const show = useFacts((s) => s.show);
  if (lead.view === 'prompt')
    return (
      <button
        type="button"
        className={styles.showMe}
        aria-describedby={describedBy}
        onClick={() => selectInPrompt(side, lead.range)}
      >
        Show me
      </button>
    );
  const { view, chunk, row } = lead;
  return (
    <a
      className={styles.showMe}
      href={`#${view}`}
      aria-describedby={describedBy}
      onClick={() => {
        if (chunk !== undefined) show({ chunk });
        if (row !== undefined) pointed.rest(tokenAt(row));
      }}
    >
      Show me
    </a>
  );
}

function CopyText({ text }: { text: string }) {
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly isCopied: boolean } | null>(null);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setOutcome({ text, isCopied: true }),
      () => setOutcome({ text, isCopied: false }),
    );
  return (
    <div className={styles.copyText}>
      <span role="status" aria-label="Copy" className="muted small">
        {outcome?.text === text &&
          (outcome.isCopied ? 'Copied.' : 'The clipboard is closed: mark the text and copy it.')}
      </span>
      <button type="button" className="small" onClick={() => void copy()}>
        Copy as text
      </button>
    </div>
  );
}
