//! `examples/hello`.

#[path = "../../examples/hello.rs"]
#[allow(unreachable_pub, reason = "in a test nobody reaches it")]
mod example;

#[tokio::test]
async fn hello_greets_in_a_frame_of_the_right_width() -> taskflow::Result<()> {
    let run = example::hello::run("Zoë".to_owned()).await?;
    assert_eq!(*run.into_result()?, "┌─────────────┐\n│ Hello, Zoë! │\n└─────────────┘");
    Ok(())
}
