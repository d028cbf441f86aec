import { usePart } from '../page/lazyPart.tsx';
import styles from './models.module.css';

const load = () => import('./Models.tsx');

/** Manages the stored models; its code is loaded when it is opened. */
export function LazyModels() {
  const { part, standIn } = usePart(true, load, null);
  return (
    <section className={styles.models} id="models" aria-labelledby="models-title">
      <h2 id="models-title" className="visually-hidden">
        Models
      </h2>
      {part ? <part.Models /> : standIn}
    </section>
  );
}
