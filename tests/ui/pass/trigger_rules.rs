//! All thirteen rules, by Airflow's name and by path.
use taskflow::TriggerRule;
use taskflow::prelude::{dag, task};

macro_rules! by_name {
    ($($name:ident = $text:literal / $path:path;)*) => {
        $(
            #[task(trigger_rule = $text)]
            fn $name() {
                #[task(trigger_rule = $path)]
                fn by_path() {}
                assert_eq!(by_path::def().options.trigger_rule, $name::def().options.trigger_rule);
            }
        )*

        #[dag]
        fn every() {
            #[task]
            fn first() {}
            let first = first();
            $(first >> $name();)*
        }

        const NAMES: &[(&str, fn())] = &[$(($text, || $name::call())),*];
    };
}

by_name! {
    a = "all_success" / TriggerRule::AllSuccess;
    b = "all_failed" / TriggerRule::AllFailed;
    c = "all_done" / TriggerRule::AllDone;
    d = "all_done_min_one_success" / TriggerRule::AllDoneMinOneSuccess;
    e = "all_done_setup_success" / TriggerRule::AllDoneSetupSuccess;
    f = "one_success" / TriggerRule::OneSuccess;
    g = "one_failed" / TriggerRule::OneFailed;
    h = "one_done" / TriggerRule::OneDone;
    i = "none_failed" / taskflow::TriggerRule::NoneFailed;
    j = "none_failed_min_one_success" / TriggerRule::NoneFailedMinOneSuccess;
    k = "none_skipped" / TriggerRule::NoneSkipped;
    l = "all_skipped" / TriggerRule::AllSkipped;
    m = "always" / TriggerRule::Always;
}

fn main() {
    every::def().plan().unwrap();
    for (&(name, call), rule) in NAMES.iter().zip(TriggerRule::ALL) {
        assert_eq!(name, rule.name());
        call();
    }
    assert_eq!(NAMES.len(), TriggerRule::ALL.len());
}
