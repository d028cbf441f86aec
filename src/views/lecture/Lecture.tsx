import { type KeyboardEvent, use, useEffect, useMemo, useRef, useState } from 'react';
import type { TensorKey } from '../../clip/stages.ts';
import { shownWeighted } from '../../state/encoded.ts';
import type { Facts } from '../../state/facts.ts';
import { changedSettings, defaultLab } from '../../state/lab/labSettings.ts';
import type { Lab } from '../../state/lab/labStore.ts';
import { startLab } from '../../state/lab/startLab.ts';
import { prepared, shownChunk } from '../../state/reading.ts';
import { shownConfig } from '../../state/shownSizes.ts';
import { viewOf } from '../../state/view.ts';
import { methods } from '../../weighting/methods.ts';
import { LabContext } from '../objective/useLab.ts';
import { showBelowTop } from '../page/belowTop.ts';
import { clampIndex, moveOf } from '../page/roving.ts';
import { StoreContext, useFacts } from '../page/useFacts.ts';
import { useHash } from '../page/useHash.ts';
import { ViewHeader } from '../page/ViewHeader.tsx';
import { LessonEquations } from './LessonEquations.tsx';
import { LessonText } from './LessonText.tsx';
import styles from './lecture.module.css';
import { type LessonFacts, lessonNumbers } from './lessonNumbers.ts';
import { differencesOf, type Lesson, lessonHash, lessonOf, lessons } from './lessons.ts';
import { useLighting } from './lighting.ts';
import { Positions } from './Positions.tsx';
import { pictures } from './pictures.tsx';
import { Try } from './Try.tsx';
import { trials } from './trials.ts';

const lead = (
  <>
    The lecture on text encoders in sixteen lessons, from the prompt’s words to how CLIP learns. Equations have the
    numbers of your own prompt beside them, in the last two lessons those of a batch of captions and pictures; every
    picture is one of this page’s views. Underlined words light up what they mean in the picture, and the picture lights
    up the words.
  </>
);

let started: Lab | undefined;

/** One lab for all lessons and visits, as each lab keeps a worker of its own. Nothing of it runs before a picture of it is shown. */
function lessonsLab(): Lab {
  started ??= startLab({ ...changedSettings(defaultLab, { from: 'shipped' }), batch: 16 }, false);
  return started;
}

/** The lecture as a path of lessons; the address names the one on show. */
export function Lecture() {
  const hash = useHash();
  const named = lessonOf(hash);
  const [last, setLast] = useState<Lesson>(named ?? lessons[0]);
  if (named && named !== last) setLast(named);
  const lesson = named ?? last;
  const frame = useRef<HTMLElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const before = useRef(lesson);
  useEffect(() => {
    // A link to the view alone gets the lesson's name, so that it can be copied.
    if (viewOf(location.hash) === 'lecture' && !lessonOf(location.hash))
      history.replaceState(history.state, '', lessonHash(lesson.id));
    if (before.current === lesson) return;
    before.current = lesson;
    title.current?.focus({ preventScroll: true });
    if (frame.current) showBelowTop(frame.current);
  }, [lesson]);
  const [lab] = useState(lessonsLab);
  const at = lessons.indexOf(lesson);
  return (
    <section className={`panel ${styles.lecture}`} id="lecture" aria-labelledby="lecture-title" ref={frame}>
      <ViewHeader view="lecture" lead={lead} />
      <Contents shown={lesson} />
      <article className={styles.lesson} aria-labelledby="lesson-title">
        <h3 id="lesson-title" tabIndex={-1} ref={title}>
          <span className="muted">
            {at + 1} of {lessons.length}
          </span>{' '}
          {lesson.title}
        </h3>
        <LabContext value={lab}>
          <LessonBody key={lesson.id} lesson={lesson} lab={lab} />
        </LabContext>
      </article>
      <nav className={styles.ends} aria-label="Lessons before and after">
        {at > 0 ? <a href={lessonHash(lessons[at - 1].id)}>← {lessons[at - 1].title}</a> : <span />}
        {at < lessons.length - 1 && <a href={lessonHash(lessons[at + 1].id)}>{lessons[at + 1].title} →</a>}
      </nav>
    </section>
  );
}

/** Moves the focus along the line of links, of which Tab reaches one. */
function moveAlong(event: KeyboardEvent<HTMLElement>): void {
  const move = moveOf(event);
  const links = [...event.currentTarget.querySelectorAll('a')];
  const index = links.indexOf(event.target as HTMLAnchorElement);
  if (!move || index < 0) return;
  event.preventDefault();
  links[clampIndex(index + move.rows + move.columns, links.length)].focus();
}

function Contents({ shown }: { readonly shown: Lesson }) {
  return (
    <nav aria-label="Lessons" className={styles.contents}>
      <ol onKeyDown={moveAlong}>
        {lessons.map((lesson, i) => (
          <li key={lesson.id}>
            <a
              href={lessonHash(lesson.id)}
              aria-current={lesson === shown ? 'step' : undefined}
              aria-label={`${i + 1}. ${lesson.title}`}
              tabIndex={lesson === shown ? 0 : -1}
            >
              {i + 1}
              <span className={styles.name}> {lesson.title}</span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** The numbers of the prompt on show that lessons take; undefined until it is read. */
function useLessonFacts(): LessonFacts | undefined {
  const chunk = useFacts(shownChunk);
  const weighted = useFacts(shownWeighted);
  const config = useFacts(shownConfig);
  const reading = useFacts((s) => prepared(s, s.side));
  const syntax = useFacts((s) => s.options.syntax);
  return useMemo(() => {
    if (!chunk || !reading) return undefined;
    const text = reading.texts[chunk.text];
    const states = weighted?.encoded.output.hiddenStates;
    return {
      config,
      syntax,
      tokens: chunk.chunk.tokens,
      pass: chunk.pass,
      light: text.weighted.downweighted.map(({ weight }) => weight),
      ...(weighted && {
        weighted: {
          before: weighted.before,
          after: weighted.after,
          applied: text.applied[chunk.index],
          mean: weighted.mean,
          label: methods[weighted.method].label,
        },
        states,
        last: weighted.encoded.output.lastHiddenState,
      }),
    };
  }, [chunk, weighted, config, syntax, reading]);
}

const noTokens: LessonFacts['tokens'] = [];
const noWeights: readonly number[] = [];

/** The facts that a lesson's button can change. */
const triedFacts = ({ prompts, options, side, chunk, layer, head, stage }: Facts) => ({
  prompts,
  options,
  selection: { side, chunk, layer, head, stage },
});

/** Gives back what was changed and is still as it was left; what a person has changed since stays. */
function givenBack<T extends object>(before: T, left: T, now: T): T {
  const back = { ...now };
  for (const name of Object.keys(before) as (keyof T)[])
    if (left[name] !== before[name] && now[name] === left[name]) back[name] = before[name];
  return back;
}

/** The page before a lesson's button was first pressed, and after it was pressed last. */
interface Tried {
  readonly before: ReturnType<typeof triedFacts>;
  readonly left: ReturnType<typeof triedFacts>;
  readonly tensor: TensorKey;
  readonly keys: readonly number[];
}

function LessonBody({ lesson, lab }: { readonly lesson: Lesson; readonly lab: Lab }) {
  const { id, tensors, text, trial } = lesson;
  const store = use(StoreContext);
  const [tensor, setTensor] = useState<TensorKey>(tensors?.[0] ?? 'hidden');
  const [keys, setKeys] = useState<readonly number[]>([]);
  const frame = useRef<HTMLDivElement>(null);
  useLighting(frame);
  const facts = useLessonFacts();
  const applied = useFacts((s) => {
    const chunk = shownChunk(s);
    return chunk ? prepared(s, s.side)?.texts[chunk.text].applied[chunk.index] : undefined;
  });
  const press = (means: string) => {
    const chosen = tensors?.find((each) => each === means);
    if (chosen) setTensor(chosen);
    else
      frame.current
        ?.querySelector(`[data-part~="${means}"]`)
        ?.scrollIntoView({ block: 'nearest', behavior: 'instant' });
  };
  const tried = useRef<Tried | null>(null);
  const onTry = () => {
    if (!store) return;
    const { before, ...rest } = tried.current ?? { before: triedFacts(store.getState()), tensor, keys };
    trials[id]({ page: store.getState(), choose: setTensor, mask: setKeys, lab });
    tried.current = { ...rest, before, left: triedFacts(store.getState()) };
  };
  const onBack = () => {
    if (!store || !tried.current) return;
    const { before, left, tensor, keys } = tried.current;
    const { restore, show } = store.getState();
    const now = triedFacts(store.getState());
    const [prompts, options] = [
      givenBack(before.prompts, left.prompts, now.prompts),
      givenBack(before.options, left.options, now.options),
    ];
    if (left.prompts !== before.prompts || left.options !== before.options) restore({ prompts, options });
    show(givenBack(before.selection, left.selection, now.selection));
    setTensor(tensor);
    setKeys(keys);
    if (id === 'objective') lab.getState().reset();
    if (id === 'temperature') lab.getState().change({ temperature: 'learned' });
    tried.current = null;
  };
  const Picture = id === 'length' ? null : pictures[id];
  return (
    <div className={styles.body} ref={frame}>
      <LessonText text={text} tokens={facts?.tokens ?? noTokens} applied={applied ?? noWeights} onPress={press} />
      <Try trial={trial} onTry={onTry} onBack={onBack} />
      {facts && Picture && <LessonEquations lesson={lesson} numbers={lessonNumbers(id, facts)} />}
      {Picture ? (
        <Picture lesson={lesson} tensor={tensor} onTensor={setTensor} keys={keys} onKeys={setKeys} />
      ) : (
        facts && <Positions lesson={lesson} facts={facts} />
      )}
      <Differences lesson={lesson} />
    </div>
  );
}

/** Says where the programs do something else than the lecture. */
function Differences({ lesson }: { readonly lesson: Lesson }) {
  const differences = differencesOf(lesson);
  if (differences.length === 0) return null;
  return (
    <section className={styles.differences} aria-labelledby="lesson-differences">
      <h4 id="lesson-differences">Where programs differ from the lecture</h4>
      <ul>
        {differences.map((difference) => (
          <li key={difference}>{difference}</li>
        ))}
      </ul>
    </section>
  );
}
