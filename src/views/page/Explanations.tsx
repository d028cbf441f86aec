import { useEffect, useRef } from 'react';
import { describeControls } from './describing.ts';
import styles from './explanations.module.css';
import { showTips } from './tips.ts';

/** Gives every control of the page its sentence: for screen readers, and as a tip on hover and focus. */
export function Explanations() {
  const sentences = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  useEffect(() => (sentences.current ? describeControls(sentences.current) : undefined), []);
  useEffect(() => (tip.current && 'popover' in tip.current ? showTips(tip.current) : undefined), []);
  return (
    <>
      <div hidden ref={sentences} />
      <div className={styles.tip} popover="manual" ref={tip} aria-hidden="true" />
    </>
  );
}
