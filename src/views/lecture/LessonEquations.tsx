import { equationRanges } from '../../clip/lectureRow.ts';
import { MathFormula } from '../anatomy/MathFormula.tsx';
import styles from './lecture.module.css';
import type { LessonNumbers } from './lessonNumbers.ts';
import { type Lesson, rowsOf } from './lessons.ts';

interface LessonEquationsProps {
  readonly lesson: Lesson;
  readonly numbers: LessonNumbers;
}

/** The equations of a lesson that are not a stage's own, each with the numbers of the prompt on show. */
export function LessonEquations({ lesson, numbers }: LessonEquationsProps) {
  // Stages write theirs beside their matrices.
  const all = rowsOf(lesson);
  const own = all.filter(({ stage }) => !stage);
  const rows = own.length > 0 || lesson.tensors ? own : all;
  if (rows.length === 0) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: wide equations are scrolled by keyboard, too
    <section className={styles.equations} aria-label="Equations" tabIndex={0}>
      {rows.map(({ title, equations, formula }, i) => {
        const filled = equations.flatMap((number) => numbers.get(number) ?? []);
        return (
          <div key={i} data-part={equations.map((number) => `equation-${number}`).join(' ')}>
            <h4>
              {title} <span className="muted">({equationRanges(equations)})</span>
            </h4>
            <MathFormula formula={formula} block />
            {filled.length > 0 && (
              <div className={styles.filled} data-filled={equations[0]}>
                {filled.map((numbers, at) => (
                  <MathFormula key={at} formula={numbers} block />
                ))}
              </div>
            )}
          </div>
        );
      })}
    </section>
  );
}
