//! The Hub account of a hive: given from standard input, tried, named, forgotten, and never shown.

use e2e::{End, MODEL, Machine, quantised};
use fake_hub::{Account, FakeHub};

const TOKEN: &str = "hf_alices_secret";

#[tokio::test]
async fn a_hive_logs_in_downloads_what_its_account_may_and_logs_out() {
    let hub = FakeHub::builder()
        .repository(quantised().gated())
        .account(Account::new("alice", TOKEN).grant("acme/Tiny-GGUF"))
        .start()
        .await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let run = async |arguments: &[&str]| machine.run_keeper(arguments).await.unwrap();
    let nobody = run(&["hive", "whoami"]).await;
    assert_eq!(nobody.end, End::Exit(4), "{nobody}");
    assert!(nobody.stderr.contains("keeper hive login"), "{nobody}");
    let refused = run(&["model", "download", MODEL]).await;
    let words: Vec<&str> = refused.stderr.split_whitespace().collect();
    assert!(
        words.join(" ").contains("log in with keeper hive login"),
        "{refused}"
    );

    let input = format!("{TOKEN}\n");
    let login = machine.run_keeper_with_input(&["hive", "login"], &input);
    let login = login.await.unwrap();
    assert_eq!(login.end, End::Exit(0), "{login}");
    assert!(login.stderr.contains(" as alice from now on"), "{login}");
    let alice = run(&["hive", "whoami"]).await;
    assert_eq!(
        (alice.stdout.as_str(), &alice.end),
        ("alice\n", &End::Exit(0))
    );
    let retried = run(&["job", "retry", "last"]).await;
    assert_eq!(retried.end, End::Exit(0), "{retried}");

    let logout = run(&["hive", "logout"]).await;
    assert!(logout.stderr.contains("without an account"), "{logout}");
    for told in [&refused, &login, &alice, &retried, &logout] {
        assert!(!told.to_string().contains(TOKEN), "{told}");
    }
}

#[tokio::test]
async fn a_token_that_the_hub_refuses_and_none_at_all_are_told_with_the_way_on() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let login = async |input| {
        let login = machine.run_keeper_with_input(&["hive", "login"], input);
        login.await.unwrap()
    };
    let refused = login("hf_wrong\n").await;
    assert_eq!(refused.end, End::Exit(1), "{refused}");
    assert!(refused.stderr.contains("/settings/tokens"), "{refused}");
    let nothing = login("").await;
    assert_eq!(nothing.end, End::Exit(2), "{nothing}");
}
